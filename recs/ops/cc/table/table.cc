#include "table/table.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <utility>

#include "table/exclusive_shards.h"
#include "table/hash.h"
#include "table/row_kernels.h"
#include "table/table_reader.h"

namespace recs {
namespace {

constexpr size_t kLoggedRemovals = (size_t{1} << 20) / kShards;  // of a shard, or one a row

}  // namespace

template <class K>
Table<K>::Table(const TableOptions& options)
    : TableBase(options, Keys<K>::kPrefix),
      exact_(IsExact(options.eviction,
                     static_cast<int64_t>(layout_.stride()) + kIndexBytesPerRow)) {
  filters_ = MakeFilters<K>(options.admission, options.initializer.seed);
  for (int s = 0; s < kShards; ++s) BoundFilter(options_.eviction, s);
}

template <class K>
Table<K>::~Table() {
  for (const auto& shard : shards_) ReleaseKeys(*shard);
}

template <class K>
void Table<K>::ReleaseKeys(const Shard& shard) {
  ForEach(shard, [](char* record) { Keys<K>::Release(record); });
}

template <class K>
void Table<K>::Find(const K* keys, const bool* mask, int64_t n, float* output, bool* found,
                    Executor& executor) const {
  const int dim = options_.dim;
  const int64_t chunks = (n + kReadKeysPerTurn - 1) / kReadKeysPerTurn;
  ParallelForOrThrow(executor, chunks, kReadKeysPerTurn * (150 + dim), [&](int64_t first, int64_t last) {
    const char* records[kReadKeysAtOnce];
    std::vector<float> unknown(dim);
    for (int64_t c = first; c < last; ++c) {
      const TableReader<K> reader(shards_, embedding_layout_);
      DefaultRowLocked(unknown.data());
      const int64_t end = std::min(n, (c + 1) * kReadKeysPerTurn);
      int64_t present = 0, hits = 0;
      for (int64_t at = c * kReadKeysPerTurn; at < end; at += kReadKeysAtOnce) {
        const int64_t count = std::min(kReadKeysAtOnce, end - at);
        reader.Locate(keys + at, count, records);
        for (int64_t i = 0; i < count; ++i) {
          float* out = output + (at + i) * dim;
          const bool masked = mask != nullptr && !mask[at + i];
          if (masked) {
            std::fill(out, out + dim, 0.0f);
          } else if (records[i] == nullptr) {
            std::copy(unknown.begin(), unknown.end(), out);
          } else {
            embedding_layout_.Read(records[i], out);
          }
          if (found != nullptr) found[at + i] = !masked && records[i] != nullptr;
          present += !masked;
          hits += !masked && records[i] != nullptr;
        }
      }
      reads_.Add(present, hits);
    }
  });
}

template <class K>
void Table<K>::FindCombined(const K* keys, const bool* mask, const Segments& batch, float* output,
                            Executor& executor) const {
  const int dim = options_.dim;
  const int64_t per_segment = batch.positions / std::max<int64_t>(batch.segments, 1) + 1;
  const int64_t per_chunk = std::max<int64_t>(1, kReadKeysPerTurn / per_segment);
  const int64_t chunks = (batch.segments + per_chunk - 1) / per_chunk;
  const auto counts = [mask](int64_t p) { return mask == nullptr || mask[p]; };
  ParallelForOrThrow(executor, chunks, kReadKeysPerTurn * (150 + dim), [&](int64_t first, int64_t last) {
    std::vector<const char*> records;
    std::vector<float> scratch(dim), unknown(dim);
    for (int64_t c = first; c < last; ++c) {
      const int64_t begin = c * per_chunk;
      const int64_t end = std::min(batch.segments, begin + per_chunk);
      const int64_t from = batch.splits[begin];
      const int64_t to = batch.splits[end];
      records.resize(to - from);
      const TableReader<K> reader(shards_, embedding_layout_);
      DefaultRowLocked(unknown.data());
      for (int64_t at = from; at < to; at += kReadKeysAtOnce) {
        reader.Locate(keys + at, std::min(kReadKeysAtOnce, to - at), records.data() + (at - from));
      }
      std::fill(output + begin * dim, output + end * dim, 0.0f);
      int64_t present = 0, hits = 0;
      for (int64_t s = begin; s < end; ++s) {
        float* out = output + s * dim;
        for (int64_t p = batch.splits[s]; p < batch.splits[s + 1]; ++p) {
          if (!counts(p)) continue;
          const char* record = records[p - from];
          ++present;
          hits += record != nullptr;
          const float* row =
              record == nullptr ? unknown.data() : embedding_layout_.View(record, scratch.data());
          if (batch.weights == nullptr) {
            AddRow(row, out, dim);
          } else {
            AddScaledRow(row, batch.weights[p], out, dim);
          }
        }
        if (batch.combiner != Combiner::kSum) {
          ScaleRow(SegmentFactor(batch, s, counts), out, dim);
        }
      }
      reads_.Add(present, hits);
    }
  });
}

template <class K>
uint32_t Table<K>::InsertInto(Shard& shard, K key, uint64_t hash) {
  shard.index.Reserve();
  shard.arena.ReserveFree();
  shard.ReserveStamp();
  const uint32_t number = shard.arena.Allocate();
  char* record = shard.arena.at(number);
  *RowLayout::header(record) = {0, Shard::kFreed, 0, 0, 0};
  try {
    Keys<K>::Store(key, record);
  } catch (...) {
    shard.arena.Free(number);
    throw;
  }
  shard.BeforeChange(number);
  RowLayout::header(record)->generation = shard.NextGeneration();
  shard.index.Insert(TagOf(hash), number);
  shard.key_bytes += Keys<K>::bytes(key);
  ++shard.insertions;
  return number;
}

template <class K>
void Table<K>::FindOrInsertInto(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique,
                                uint32_t time, const float* cold, const int32_t* place,
                                float* rows, int64_t* handles) {
  const int dim = options_.dim;
  const int64_t end = unique.shard_begin[s + 1];
  const auto step = static_cast<uint32_t>(step_.load());
  const size_t read = rows == nullptr ? sizeof(RowHeader) : embedding_layout_.read_bytes();
  const size_t bytes = Keys<K>::kPrefix + read;
  int64_t lookups = 0, hits = 0;
  RowWriter writer(embedding_layout_);
  if (options_.eviction.bounded() && !exact_) Touch(shard, s, keys, unique);
  for (int64_t at = unique.shard_begin[s]; at < end; at += kReadKeysAtOnce) {
    const int64_t count = std::min(kReadKeysAtOnce, end - at);
    for (int64_t i = 0; i < count; ++i) shard.index.Prefetch(TagOf(unique.hashes[at + i]));
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t candidate = shard.index.FirstCandidate(TagOf(unique.hashes[at + i]));
      if (candidate == HashIndex::kNone) continue;
      PrefetchBytes(shard.arena.at(candidate) - Keys<K>::kPrefix, bytes);
    }
    for (int64_t i = 0; i < count; ++i) {
      const K key = keys[unique.first[at + i]];
      const uint64_t hash = unique.hashes[at + i];
      float* row = rows == nullptr ? nullptr
                                   : rows + (place == nullptr ? at + i : place[at + i]) * dim;
      uint32_t number = FindIn(shard, key, hash);
      if (number == HashIndex::kNone) {
        number = InsertIfAdmitted(shard, s, key, hash, unique.occurrences[at + i]);
        if (number == HashIndex::kNone) {
          if (row != nullptr) std::copy(cold, cold + dim, row);
          handles[at + i] = RowHandle::None(s);
          lookups += unique.occurrences[at + i];
          continue;
        }
        InitializeRow(hash, shard.arena.at(number), writer);
        AddToSum(shard, shard.arena.at(number), 1.0);
      } else {
        hits += unique.occurrences[at + i];
      }
      if (row != nullptr) embedding_layout_.Read(shard.arena.at(number), row);
      lookups += unique.occurrences[at + i];
      shard.BeforeChange(number);
      RowHeader* header = RowLayout::header(shard.arena.at(number));
      const uint32_t left = std::numeric_limits<uint32_t>::max() - header->count;
      header->count += std::min(unique.occurrences[at + i], left);
      header->last_step = step;
      header->last_time = std::max(header->last_time, time);  // an event may come late
      handles[at + i] = RowHandle::Make(s, header->generation, number);
    }
  }
  shard.training_lookups += lookups;
  shard.training_distinct += end - unique.shard_begin[s];
  shard.training_hits += hits;
}

template <class K>
void Table<K>::FindOrInsert(const K* keys, const UniqueKeys<K>& unique, uint32_t time,
                            const int32_t* place, float* rows, int64_t* handles,
                            Executor& executor) {
  gate_.WaitForRoom();
  std::shared_lock<RwLock> lock(mutex_);
  NoteTime(time);
  std::vector<float> cold;  // of keys that are not admitted, as of now
  if (filters_[0] != nullptr) cold.assign(options_.dim, options_.default_value);
  if (filters_[0] != nullptr && options_.mean_default) DefaultRow(cold.data());
  if (exact_) {
    const ExclusiveShards all(shards_);
    for (int s = 0; s < kShards; ++s) Touch(*shards_[s], s, keys, unique);
    for (int s = 0; s < kShards; ++s) {
      FindOrInsertInto(*shards_[s], s, keys, unique, time, cold.data(), place, rows, handles);
    }
    return;
  }
  const int64_t cost = (unique.size() / kShards + 1) * (200 + options_.dim);
  ParallelForOrThrow(executor, kShards, cost, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      if (unique.shard_begin[s] == unique.shard_begin[s + 1]) continue;
      Shard& shard = *shards_[s];
      std::unique_lock<RwLock> shard_lock(shard.mutex);
      FindOrInsertInto(shard, static_cast<int>(s), keys, unique, time, cold.data(), place, rows,
                       handles);
    }
  });
}

template <class K>
void Table<K>::Upsert(const K* keys, const float* rows, int64_t n, Executor& executor) {
  std::vector<int32_t> inverse(n);
  const UniqueKeys<K> unique(keys, nullptr, n, inverse.data(), executor);
  std::vector<int32_t> last_position(unique.size());
  for (int64_t p = 0; p < n; ++p) last_position[inverse[p]] = static_cast<int32_t>(p);
  gate_.WaitForRoom();
  std::shared_lock<RwLock> lock(mutex_);
  if (exact_) {
    const ExclusiveShards all(shards_);
    for (int s = 0; s < kShards; ++s) Touch(*shards_[s], s, keys, unique);
    for (int s = 0; s < kShards; ++s) {
      UpsertInto(*shards_[s], s, keys, unique, last_position.data(), rows);
    }
    return;
  }
  for (int s = 0; s < kShards; ++s) {
    std::unique_lock<RwLock> shard_lock(shards_[s]->mutex);
    if (options_.eviction.bounded()) Touch(*shards_[s], s, keys, unique);
    UpsertInto(*shards_[s], s, keys, unique, last_position.data(), rows);
  }
}

template <class K>
void Table<K>::UpsertInto(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique,
                          const int32_t* last_position, const float* rows) {
  const Moment now = Now();
  for (int64_t u = unique.shard_begin[s]; u < unique.shard_begin[s + 1]; ++u) {
    const K key = keys[unique.first[u]];
    const float* row = rows + int64_t{last_position[u]} * options_.dim;
    uint32_t number = FindIn(shard, key, unique.hashes[u]);
    if (number == HashIndex::kNone) {
      if (options_.eviction.bounded()) MakeRoom(s, Keys<K>::bytes(key));
      number = InsertInto(shard, key, unique.hashes[u]);
      InitializeSlots(shard.arena.at(number));
      layout_.Write(row, shard.arena.at(number));
      if (filters_[s] != nullptr) filters_[s]->Forget(key, unique.hashes[u]);
    } else {
      shard.BeforeChange(number);
      AddToSum(shard, shard.arena.at(number), -1.0);
      layout_.Write(row, shard.arena.at(number));
    }
    AddToSum(shard, shard.arena.at(number), 1.0);
    RowHeader* header = RowLayout::header(shard.arena.at(number));
    if (header->count > 0) continue;  // training says when it used the row
    header->last_step = now.step;
    header->last_time = times_.last();
  }
}

template <class K>
void Table<K>::EraseFrom(Shard& shard, uint32_t number, uint64_t hash) {
  shard.arena.ReserveFree();
  shard.BeforeChange(number);
  AddToSum(shard, shard.arena.at(number), -1.0);
  char* record = shard.arena.at(number);
  if (shard.epoch != nullptr) LogRemoval(shard, ShardOf(hash), Keys<K>::Load(record));
  shard.index.Erase(TagOf(hash), number);
  shard.key_bytes -= Keys<K>::bytes(Keys<K>::Load(record));
  Keys<K>::Release(record);
  *RowLayout::header(record) = {0, Shard::kFreed, 0, 0, 0};
  shard.arena.Free(number);
  ++shard.removals;
}

template <class K>
void Table<K>::LogRemoval(const Shard& shard, int s, K key) noexcept {
  removed_[s].Add(*shard.epoch, key, std::max<size_t>(kLoggedRemovals, shard.index.size()));
}

template <class K>
int64_t Table<K>::Remove(const K* keys, int64_t n, Executor& /*executor*/) {
  gate_.WaitForRoom();
  std::shared_lock<RwLock> lock(mutex_);
  int64_t removed = 0;
  for (int64_t p = 0; p < n; ++p) {
    const uint64_t hash = HashKey(keys[p]);
    Shard& shard = *shards_[ShardOf(hash)];
    std::unique_lock<RwLock> shard_lock(shard.mutex);
    const uint32_t number = FindIn(shard, keys[p], hash);
    if (number == HashIndex::kNone) {
      if (KeyFilter<K>* filter = filters_[ShardOf(hash)].get()) filter->Forget(keys[p], hash);
      continue;
    }
    EraseFrom(shard, number, hash);
    ++removed;
  }
  return removed;
}

template <class K>
void Table<K>::Clear() {
  std::unique_lock<ScanGate> no_save(gate_);
  std::unique_lock<RwLock> lock(mutex_);
  // Made first, so that running out of memory changes nothing.
  const Cursor life = Cursor::NewLife();
  auto filters = MakeFilters<K>(options_.admission, options_.initializer.seed);
  pending_.Clear();
  const auto pool = std::make_shared<SlabPool>();
  victims_.queue.clear();
  for (int s = 0; s < kShards; ++s) {
    Shard* shard = shards_[s].get();
    std::unique_lock<RwLock> shard_lock(shard->mutex);
    filters_[s] = std::move(filters[s]);
    BoundFilter(options_.eviction, s);
    shard->victims.queue.clear();
    shard->removals += shard->index.size();
    ReleaseKeys(*shard);
    shard->index.Clear();
    shard->arena = RowArena(layout_.stride(), layout_.key_prefix(), pool);
    shard->key_bytes = 0;
    std::fill(shard->row_sum.begin(), shard->row_sum.end(), 0.0);
    removed_[s].Forget(0);
  }
  BeginLife(life, {});
}

template <class K>
void Table<K>::Export(std::vector<KeyOut>* keys, std::vector<float>* rows) const {
  // The table's lock holds writers back from all shards until the last one is copied.
  std::unique_lock<RwLock> lock(mutex_);
  keys->clear();
  rows->clear();
  for (const auto& shard : shards_) {
    std::shared_lock<RwLock> shard_lock(shard->mutex);
    ForEach(*shard, [&](char* record) {
      keys->emplace_back(Keys<K>::Load(record));
      rows->resize(rows->size() + options_.dim);
      embedding_layout_.Read(record, rows->data() + rows->size() - options_.dim);
    });
  }
}

template class Table<int64_t>;
template class Table<std::string_view>;

}  // namespace recs
