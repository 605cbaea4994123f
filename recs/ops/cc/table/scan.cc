#include "table/scan.h"

#include <algorithm>
#include <new>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "table/snapshot_filters.h"

namespace recs {
namespace {

// Copied under one taking of a shard's lock.
constexpr size_t kScannedBytes = size_t{256} << 10;
// Of copies that writers keep: this part of the table's bytes, and no less than some batches.
constexpr size_t kKeptShare = 32;
constexpr size_t kLeastKept = size_t{16} << 20;

}  // namespace

template <class K>
Scan<K>::Scan(const Table<K>& table, const WriteOptions& options)
    : table_(table), options_(options), gate_(table.gate_) {}

template <class K>
Scan<K>::~Scan() {
  End();
}

template <class K>
Status Scan<K>::Begin(const Table<K>& table, const WriteOptions& options,
                      std::unique_ptr<Scan>* scan) {
  std::unique_ptr<Scan> made(new Scan(table, options));
  made->Prepare();
  if (Status taken = made->TakeMoment(); !taken.ok()) return taken;
  *scan = std::move(made);
  return {};
}

// What takes long, before anybody waits.
template <class K>
void Scan<K>::Prepare() {
  const bool follows = options_.kind != SnapshotKind::kState;
  if (follows) new_life_ = Cursor::NewLife();
  size_t bytes = 0;
  for (int s = 0; s < kShards; ++s) {
    Shard& shard = *table_.shards_[s];
    std::shared_lock<RwLock> lock(shard.mutex);
    const uint32_t records = shard.arena.high_water();
    bytes += shard.arena.used_bytes() + shard.index.bytes() + shard.key_bytes;
    records_[s] = std::make_unique<ItemScan>(
        BlockWriter(kRecordBlock), records,
        [this, &shard](uint32_t number, BlockWriter& block) {
          return PutRecord(shard, number, block);
        },
        &table_.gate_);
    if (follows && shard.epoch == nullptr) {
      stamps_.emplace_back();
      stamps_.back().reserve(size_t{records} + records / 8 + 64);
      stamps_.back().assign(records, 0);
    }
    const KeyFilter<K>* filter = table_.filters_[s].get();
    if (filter == nullptr) continue;
    bytes += filter->bytes();
    filters_[s] = std::make_unique<ItemScan>(
        BlockWriter(kFilterBlock), filter->items(),
        [filter, s](uint32_t item, BlockWriter& block) { return filter->PutItem(item, s, block); },
        &table_.gate_);
  }
  table_.gate_.SetBudget(std::max(kLeastKept, bytes / kKeptShare));
}

template <class K>
Status Scan<K>::TakeMoment() {
  std::unique_lock<RwLock> lock(table_.mutex_);
  const bool follows = options_.kind != SnapshotKind::kState;
  if (follows && table_.epoch_ == 0) {
    // Nothing may fail once the first shard has its stamps.
    for (int s = 0; s < kShards; ++s) {
      stamps_[s].resize(table_.shards_[s]->arena.high_water(), 0);
    }
    table_.life_ = new_life_;
    table_.epoch_ = 1;
    for (int s = 0; s < kShards; ++s) {
      Shard& shard = *table_.shards_[s];
      shard.stamps.swap(stamps_[s]);
      shard.epoch = &table_.epoch_;
      shard.SetWatched();
    }
  }
  if (Status known = CheckCursor(); !known.ok()) return known;
  DescribeTable();
  for (int s = 0; s < kShards; ++s) {
    records_[s]->Begin(table_.shards_[s]->arena.high_water());
  }
  BeginFilters();
  BeginRecords();
  if (follows) ++table_.epoch_;
  return {};
}

template <class K>
Status Scan<K>::CheckCursor() const {
  if (options_.kind != SnapshotKind::kDelta) return {};
  const auto refuse = [this](const std::string& received, const std::string& rule) {
    return FailedPrecondition("`since` must be " + rule + ". Received: " + received +
                              " (in a delta of table '" + table_.options_.name +
                              "'). Take a new base, with `since=None`, and let deltas follow it.");
  };
  const Cursor& since = options_.since;
  if (since.life != table_.life_.life || since.epoch >= table_.epoch_) {
    return refuse("'" + since.ToText() + "'",
                  "a cursor of this table since it was made, restored or cleared");
  }
  for (const auto& removed : table_.removed_) {
    if (since.epoch >= removed.known_since()) continue;
    return refuse("'" + since.ToText() + "', before the oldest removal that is listed",
                  "a cursor since when all removals of keys are known");
  }
  return {};
}

template <class K>
void Scan<K>::DescribeTable() {
  header_.key_type = Keys<K>::kType;
  header_.dim = table_.layout_.dim();
  header_.storage = table_.layout_.storage();
  header_.slots = table_.layout_.slots();
  header_.with_slots = options_.slots;
  header_.initializer = table_.options_.initializer;
  header_.step = table_.step_;
  for (const auto& shard : table_.shards_) header_.rows += shard->index.size();
  header_.newest_time = table_.times_.last();
  header_.kind = options_.kind;
  header_.optimizer = table_.optimizer_;
  header_.initial_slot_values = table_.initial_slot_values_;
  header_.hyperparameters = table_.hyperparameters_;
  if (options_.kind == SnapshotKind::kState) {
    header_.cursor = table_.follows_;
    return;
  }
  header_.cursor = {table_.life_.life, table_.epoch_};
  if (options_.kind != SnapshotKind::kDelta) return;
  header_.since = options_.since.epoch;
  header_.slots_reset = table_.slots_epoch_ > options_.since.epoch;
}

template <class K>
void Scan<K>::BeginFilters() {
  const bool wanted = options_.kind != SnapshotKind::kDelta || options_.slots;
  uint64_t waiting = 0;
  bool counted = false;
  for (const auto& filter : table_.filters_) {
    if (filter == nullptr || !wanted) continue;
    counted = counted || filter->counted();
    waiting += filter->waiting();
  }
  for (int s = 0; s < kShards && counted; ++s) {
    filters_[s]->SetEmpty(EmptyFilterBlock(table_.filters_[s]->shape(), waiting));
    filters_[s]->Begin(table_.filters_[s]->items());
  }
  for (int s = 0; s < kShards && counted; ++s) table_.filters_[s]->scan = filters_[s].get();
}

template <class K>
void Scan<K>::BeginRecords() {
  for (int s = 0; s < kShards; ++s) {
    Shard& shard = *table_.shards_[s];
    shard.scan = records_[s].get();
    shard.SetWatched();
    if (options_.kind != SnapshotKind::kDelta) continue;
    RemovalLog<typename Table<K>::KeyOut>& log = table_.removed_[s];
    log.Pin(true);
    removals_[s] = {log.FirstAfter(header_.since), log.size()};
  }
}

template <class K>
void Scan<K>::End() noexcept {
  if (!gate_.owns_lock()) return;
  for (int s = 0; s < kShards; ++s) {
    Shard& shard = *table_.shards_[s];
    std::unique_lock<RwLock> lock(shard.mutex);
    shard.scan = nullptr;
    shard.SetWatched();
    table_.removed_[s].Pin(false);
    if (table_.filters_[s] != nullptr) table_.filters_[s]->scan = nullptr;
  }
  gate_.unlock();
}

template <class K>
bool Scan<K>::PutRecord(const Shard& shard, uint32_t number, BlockWriter& block) const {
  const char* record = shard.arena.at(number);
  const RowHeader* row = RowLayout::header(record);
  if (row->generation == Shard::kFreed) return false;
  if (options_.kind == SnapshotKind::kDelta && shard.stamps[number] <= header_.since) return false;
  const RowLayout& layout = table_.layout_;
  PutKey(block, Keys<K>::Load(record));
  block.Put(RecordCounts{row->count, row->last_step, row->last_time});
  block.PutBytes(RowLayout::embedding(record), layout.embedding_bytes());
  if (options_.slots) block.PutBytes(layout.slots(record), sizeof(float) * layout.slot_floats());
  return true;
}

template <class K>
Status Scan<K>::Append(BlockWriter block) {
  std::string bytes = block.Close();
  uint64_t checksum;
  std::memcpy(&checksum, bytes.data() + bytes.size() - sizeof(checksum), sizeof(checksum));
  manifest_.checksums.push_back(checksum);
  return sink_->Append(std::move(bytes));
}

// A block's worth of each shard in turn, so that readers of the file have work for all shards.
template <class K>
Status Scan<K>::WriteParts(const Parts& parts) {
  std::vector<int> open;
  for (int s = 0; s < kShards; ++s) {
    if (parts[s] != nullptr) open.push_back(s);
  }
  if (open.empty()) return {};
  BlockWriter block = parts[open[0]]->NewBlock(sink_->Spare());
  while (!open.empty()) {
    std::vector<int> still_open;
    for (int s : open) {
      Shard& shard = *table_.shards_[s];
      bool more = true;
      while (more && block.size() < kBlockBytes) {
        std::shared_lock<RwLock> lock(shard.mutex);
        more = parts[s]->Advance(std::min(kBlockBytes, block.size() + kScannedBytes), block);
      }
      if (more) {
        still_open.push_back(s);
      } else if (Status kept = WriteKept(*parts[s], shard); !kept.ok()) {
        return kept;
      }
      if (block.size() >= kBlockBytes) {
        if (Status written = Append(std::move(block)); !written.ok()) return written;
        block = parts[s]->NewBlock(sink_->Spare());
      }
      if (Status room = MakeRoom(); !room.ok()) return room;
    }
    open = std::move(still_open);
  }
  return parts[0]->IsEmpty(block) ? Status() : Append(std::move(block));
}

template <class K>
Status Scan<K>::WriteKept(ItemScan& part, Shard& shard) {
  size_t bytes = 0;
  std::vector<BlockWriter> kept;
  {
    std::shared_lock<RwLock> lock(shard.mutex);
    kept = part.TakeKept(&bytes);
  }
  Status status;
  for (BlockWriter& block : kept) {
    if (status.ok() && !part.IsEmpty(block)) status = Append(std::move(block));
  }
  table_.gate_.Release(bytes);
  return status;
}

template <class K>
Status Scan<K>::MakeRoom() {
  if (table_.gate_.failed()) throw std::bad_alloc();
  if (!table_.gate_.crowded()) return {};
  for (int s = 0; s < kShards; ++s) {
    Shard& shard = *table_.shards_[s];
    if (Status written = WriteKept(*records_[s], shard); !written.ok()) return written;
    if (filters_[s] == nullptr) continue;
    if (Status written = WriteKept(*filters_[s], shard); !written.ok()) return written;
  }
  return {};
}

template <class K>
Status Scan<K>::WriteRemovals() {
  BlockWriter block(kRemovalBlock);
  const size_t empty = block.size();
  for (int s = 0; s < kShards; ++s) {
    auto [next, end] = removals_[s];
    while (next < end) {
      {
        std::shared_lock<RwLock> lock(table_.shards_[s]->mutex);
        const size_t until = std::min(end, next + 4096);
        for (; next < until && block.size() < kBlockBytes; ++next, ++manifest_.removals) {
          PutKey(block, K(table_.removed_[s].at(next).key));
        }
      }
      if (block.size() < kBlockBytes) continue;
      if (Status written = Append(std::move(block)); !written.ok()) return written;
      block = BlockWriter(kRemovalBlock);
    }
  }
  return block.size() > empty ? Append(std::move(block)) : Status();
}

template <class K>
Status Scan<K>::Write(BlockSink& sink) {
  sink_ = &sink;
  BlockWriter first(kHeaderBlock);
  PutHeader(first, header_);
  if (Status written = Append(std::move(first)); !written.ok()) return written;
  const bool drawn = header_.initializer.kind == InitializerKind::kBlock;
  if (drawn && header_.kind != SnapshotKind::kDelta) {
    BlockWriter initial(kInitialRowsBlock);
    PutInitialRows(initial, header_.initializer);
    if (Status written = Append(std::move(initial)); !written.ok()) return written;
  }
  if (Status written = WriteRemovals(); !written.ok()) return written;
  if (Status written = WriteParts(filters_); !written.ok()) return written;
  if (Status written = WriteParts(records_); !written.ok()) return written;
  if (table_.gate_.failed()) throw std::bad_alloc();
  End();
  for (const auto& part : records_) manifest_.records += part->written();
  BlockWriter manifest(kManifestBlock);
  PutManifest(manifest, manifest_);
  return sink.Append(manifest.Close());
}

template class Scan<int64_t>;
template class Scan<std::string_view>;

}  // namespace recs
