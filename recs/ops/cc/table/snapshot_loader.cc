#include "table/snapshot_loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <shared_mutex>
#include <utility>

#include "table/hash.h"
#include "table/record_ring.h"

namespace recs {
namespace {

constexpr size_t kBatch = 32;       // blocks that are parsed and inserted together
constexpr size_t kBatchBytes = kBatch * 2 * kBlockBytes;  // and of how many bytes, but for the last
constexpr uint32_t kRowsAhead = 8;      // records whose cache misses overlap

const char* Name(KeyType type) { return type == KeyType::kInt64 ? "int64" : "string"; }

std::string ContentsOf(const RowInitializer& initializer) {
  if (initializer.kind != InitializerKind::kRing) return "embeddings";
  const RingShape shape = RingShape::Of(initializer);
  return std::to_string(shape.capacity) + " records of " + std::to_string(shape.width) + " values";
}

// The values of a record, into one of `layout`; the storage types may differ, and `layout` may have
// no slots.
void CopyRecord(const char* from, const RowLayout& saved, const RowLayout& layout,
                std::vector<float>& scratch, char* record) {
  RecordCounts counts;
  std::memcpy(&counts, from, sizeof(counts));
  from += sizeof(counts);
  RowHeader* header = RowLayout::header(record);
  header->count = counts.count;
  header->last_step = counts.last_step;
  header->last_time = counts.last_time;
  if (saved.storage() == layout.storage()) {
    std::memcpy(RowLayout::embedding(record), from, layout.embedding_bytes());
  } else {
    // The bytes as they were saved, and behind them, in whole floats, their values.
    scratch.resize(2 * size_t(saved.dim()));
    std::memcpy(scratch.data(), from, saved.embedding_bytes());
    float* values = scratch.data() + saved.dim();
    Decode(saved.storage(), scratch.data(), values, saved.dim());
    layout.Write(values, record);
  }
  from += saved.embedding_bytes();
  if (const size_t floats = layout.slot_floats(); floats > 0) {
    std::memcpy(layout.slots(record), from, sizeof(float) * floats);
  }
}

}  // namespace

template <class K>
Status SnapshotLoader<K>::Damaged(const std::string& what) const {
  return DataLoss("The table's saved state must be complete and unaltered. Received: " + what +
                  " (in " + source_.name() + "). Restore from an earlier copy; the table was left " +
                  "as it was.");
}

template <class K>
Status SnapshotLoader<K>::ReadHeader() {
  std::string storage;
  std::string_view bytes;
  bool end = false;
  if (Status read = source_.Next(&storage, &bytes, &end); !read.ok()) return read;
  BlockReader block(bytes);
  uint32_t kind = 0;
  if (end || !block.Open() || !block.Get(&kind)) {
    return Damaged("block 0, whose checksum is wrong");
  }
  if (kind != kHeaderBlock || !GetHeader(block, &header_)) {
    return Damaged("a header that is not of a table of version 1");
  }
  manifest_.checksums.push_back(block.checksum());
  return CheckHeader();
}

template <class K>
Status SnapshotLoader<K>::CheckHeader() {
  const TableOptions& options = table_.options_;
  const std::string where = " (in table '" + options.name + "', " + source_.name() + "). ";
  if (header_.key_type != Keys<K>::kType) {
    return InvalidArgument(std::string("`key_dtype` must be that of the saved table. Received: ") +
                           Name(Keys<K>::kType) + ", saved: " + Name(header_.key_type) + where +
                           "Build the layer with the saved key type, or train anew.");
  }
  // Rings of records are read as rings of the same shape, and embeddings as no rings.
  const std::string own = ContentsOf(options.initializer), saved = ContentsOf(header_.initializer);
  if (own != saved) {
    return InvalidArgument("A table must hold what the saved table holds. Received: a table of " +
                           own + ", saved: " + saved + where +
                           "Build the layer with the saved `capacity` and `width`.");
  }
  if (header_.dim != options.dim) {
    return InvalidArgument(
        "`output_dim` must be that of the saved table. Received: output_dim=" +
        std::to_string(options.dim) + ", saved: " + std::to_string(header_.dim) + where +
        "Build the layer with the saved dimension, or train anew.");
  }
  return {};
}

template <class K>
void SnapshotLoader<K>::MakeFresh() {
  TableOptions options;
  {
    std::shared_lock<RwLock> lock(table_.mutex_);  // another restore brings a seed of its own
    options = table_.options_;
  }
  options.initializer.seed = header_.initializer.seed;
  fresh_ = std::make_unique<Table<K>>(options);
  const SlotShape slots = has_slots() ? header_.slots : SlotShape{};
  fresh_->layout_ = RowLayout(header_.dim, options.storage, slots, Keys<K>::kPrefix);
  const auto pool = std::make_shared<SlabPool>();
  for (const auto& shard : fresh_->shards_) {
    shard->arena = RowArena(fresh_->layout_.stride(), Keys<K>::kPrefix, pool);
  }
  filters_.emplace(fresh_->filters_);
}

template <class K>
void SnapshotLoader<K>::ParseRecords(Block& block) const {
  const size_t values = RecordBytes(LayoutOf(header_));
  std::vector<Entry> found;
  std::array<uint32_t, kShards + 1>& begin = block.begin;
  begin.fill(0);
  while (!block.reader.empty()) {
    K key;
    const bool whole = GetKey(block.reader, &key);
    const char* at = block.reader.data();
    if (!whole || !block.reader.Skip(values)) {
      block.wrong = "which ends within a record";
      return;
    }
    found.push_back({HashKey(key), key, at});
    ++begin[ShardOf(found.back().hash) + 1];
  }
  for (int s = 0; s < kShards; ++s) begin[s + 1] += begin[s];
  std::array<uint32_t, kShards> next;
  std::copy_n(begin.begin(), kShards, next.begin());
  block.entries.resize(found.size());
  for (const Entry& entry : found) block.entries[next[ShardOf(entry.hash)]++] = entry;
}

template <class K>
void SnapshotLoader<K>::Parse(Block& block) const {
  block.entries.clear();
  block.begin.fill(0);
  block.wrong.clear();
  block.reader = BlockReader(block.bytes);
  block.opened = block.reader.Open() && block.reader.Get(&block.kind);
  if (!block.opened) {
    block.wrong = "whose checksum is wrong";
  } else if (block.kind == kRecordBlock) {
    ParseRecords(block);
  }
}

template <class K>
Status SnapshotLoader<K>::AddRemovals(Block& block, int64_t number) {
  if (header_.kind != SnapshotKind::kDelta) {
    return Damaged("block " + std::to_string(number) + " of removed keys, which only deltas have");
  }
  // Kept until the end: strings point into it.
  removal_blocks_.emplace_back(block.reader.data(), block.reader.size());
  BlockReader reader(removal_blocks_.back());
  while (!reader.empty()) {
    K key;
    if (!GetKey(reader, &key)) {
      return Damaged("block " + std::to_string(number) + ", which ends within a key");
    }
    removed_[ShardOf(HashKey(key))].push_back(key);
    ++manifest_.removals;
  }
  return {};
}

template <class K>
Status SnapshotLoader<K>::AddOthers(Block& block, int64_t number, bool* complete) {
  const std::string where = "block " + std::to_string(number);
  if (!block.wrong.empty()) return Damaged(where + ", " + block.wrong);
  if (block.kind == kManifestBlock) {
    *complete = IsManifestOf(block.reader, manifest_);
    return *complete ? Status()
                     : Damaged("other blocks than the manifest tells of, " +
                               std::to_string(manifest_.records) + " records in " +
                               std::to_string(manifest_.checksums.size()) + " blocks");
  }
  manifest_.checksums.push_back(block.reader.checksum());
  bool repeated = false;
  switch (block.kind) {
    case kRecordBlock:
      manifest_.records += static_cast<int64_t>(block.entries.size());
      return {};
    case kInitialRowsBlock:
      if (GetInitialRows(block.reader, header_.dim, &header_.initializer)) return {};
      return Damaged(where + " of initial rows, which are not one block of whole rows");
    case kFilterBlock:
      if (filters_->Add(block.reader, &repeated)) return {};
      return Damaged(repeated ? "a key that is there twice" : where + ", which is no filter's");
    case kRemovalBlock:
      return AddRemovals(block, number);
    default:
      return Damaged(where + " of an unknown kind");
  }
}

template <class K>
bool SnapshotLoader<K>::Insert(int s) {
  Table<K>& fresh = *fresh_;
  Shard& shard = *fresh.shards_[s];
  const RowLayout saved = LayoutOf(header_);
  std::vector<float> scratch;
  for (size_t b = 0; b < count_; ++b) {
    const Block& block = blocks_[b];
    const uint32_t end = block.begin[s + 1];
    for (uint32_t i = block.begin[s]; i < end; ++i) {
      if (i + kRowsAhead < end) shard.index.Prefetch(TagOf(block.entries[i + kRowsAhead].hash));
      const Entry& entry = block.entries[i];
      if (fresh.FindIn(shard, entry.key, entry.hash) != HashIndex::kNone) return false;
      char* record = shard.arena.at(fresh.InsertInto(shard, entry.key, entry.hash));
      CopyRecord(entry.values, saved, fresh.layout_, scratch, record);
      fresh.AddToSum(shard, record, 1.0);
    }
  }
  return true;
}

template <class K>
Status SnapshotLoader<K>::Fill(size_t most, bool* end) {
  count_ = 0;
  for (size_t bytes = 0; count_ < most && bytes < kBatchBytes; bytes += blocks_[count_ - 1].bytes.size()) {
    if (count_ == blocks_.size()) blocks_.emplace_back();
    Block& block = blocks_[count_];
    if (Status read = source_.Next(&block.storage, &block.bytes, end); !read.ok()) return read;
    if (*end) break;
    ++count_;
  }
  return {};
}

template <class K>
Status SnapshotLoader<K>::Load() {
  bool end = false, complete = false;
  blocks_.reserve(kBatch);
  for (int64_t number = 1; !end;) {
    // The first ones alone, so that a foreign file or a small table costs no more than it has.
    if (Status read = Fill(number == 1 ? 2 : kBatch, &end); !read.ok()) return read;
    const auto blocks = static_cast<int64_t>(count_);
    ParallelForOrThrow(executor_, blocks, 1 << 20, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) Parse(blocks_[first]);
    });
    for (size_t b = 0; b < count_; ++b, ++number) {
      if (complete) return Damaged("blocks behind the manifest");
      if (Status added = AddOthers(blocks_[b], number, &complete); !added.ok()) return added;
    }
    std::atomic<bool> repeated{false};
    ParallelForOrThrow(executor_, kShards, blocks << 14, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) {
        if (!Insert(static_cast<int>(first))) repeated = true;
      }
    });
    if (repeated) return Damaged("a key that is there twice");
  }
  return complete ? Status() : Damaged("blocks without a manifest at their end");
}

template <class K>
Status SnapshotLoader<K>::ReadRest() {
  MakeFresh();
  if (Status loaded = Load(); !loaded.ok()) return loaded;
  const RowInitializer& initializer = header_.initializer;
  const bool whole = header_.kind != SnapshotKind::kDelta;
  if (whole && initializer.kind == InitializerKind::kBlock && initializer.block == nullptr) {
    return Damaged("blocks without that of initial rows");
  }
  if (!filters_->Complete()) return Damaged("a part of a filter");
  if (whole && manifest_.records != header_.rows) {
    return Damaged(std::to_string(manifest_.records) + " of " + std::to_string(header_.rows) +
                   " rows");
  }
  fresh_->step_ = header_.step;
  fresh_->times_.Restore(header_.newest_time);
  return {};
}

template class SnapshotLoader<int64_t>;
template class SnapshotLoader<std::string_view>;

}  // namespace recs
