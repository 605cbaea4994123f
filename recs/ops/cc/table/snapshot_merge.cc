#include "table/snapshot_merge.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "table/exclusive_shards.h"
#include "table/hash.h"

namespace recs {

template <class K>
void SnapshotMerge<K>::Exchange() {
  Table<K>& fresh = loader_.fresh();
  SnapshotHeader header = loader_.header();
  if (fresh.options_.eviction.bounded()) fresh.Trim(fresh.options_.eviction);
  if (!loader_.has_slots()) {
    // The next update makes slots, as for rows of a table that was never trained.
    header.optimizer.clear();
    header.initial_slot_values.clear();
    header.hyperparameters.clear();
  }
  const Cursor life = Cursor::NewLife();
  std::unique_lock<ScanGate> no_save(table_.gate_);
  std::unique_lock<RwLock> lock(table_.mutex_);
  for (int s = 0; s < kShards && table_.epoch_ != 0; ++s) {
    table_.shards_[s]->stamps.reserve(fresh.shards_[s]->arena.high_water());
  }
  const ExclusiveShards all(table_.shards_);
  for (int s = 0; s < kShards; ++s) {
    Shard& target = *table_.shards_[s];
    Shard& loaded = *fresh.shards_[s];
    std::swap(target.index, loaded.index);
    std::swap(target.arena, loaded.arena);
    std::swap(target.key_bytes, loaded.key_bytes);
    std::swap(target.row_sum, loaded.row_sum);
    target.evictions += loaded.evictions;
    target.unlogged_evictions += loaded.evictions;
    target.victims.queue.clear();
    std::swap(table_.filters_[s], fresh.filters_[s]);
    table_.removed_[s].Forget(0);
    // Generations go on from both, so that no handle of before reaches a loaded row.
    for (uint32_t n = 0; n < target.arena.high_water(); ++n) {
      RowHeader* row = RowLayout::header(target.arena.at(n));
      if (row->generation != Shard::kFreed) row->generation = target.NextGeneration();
    }
  }
  table_.victims_.queue.clear();
  table_.layout_ = fresh.layout_;
  table_.optimizer_.swap(header.optimizer);
  table_.initial_slot_values_.swap(header.initial_slot_values);
  table_.hyperparameters_.swap(header.hyperparameters);
  table_.options_.initializer.seed = header.initializer.seed;
  if (table_.options_.initializer.kind == InitializerKind::kBlock &&
      header.initializer.kind == InitializerKind::kBlock) {
    table_.options_.initializer.block = header.initializer.block;
  }
  table_.step_ = header.step;
  table_.times_.Restore(header.newest_time);
  table_.pending_.Clear();
  table_.BeginLife(life, header.cursor);
}

template <class K>
std::string SnapshotMerge<K>::Where() const {
  return " (in table '" + table_.options_.name + "', " + source_.name() + "). ";
}

// Slots mean something to the optimizer that made them alone.
template <class K>
Status SnapshotMerge<K>::CheckOptimizer() const {
  const SnapshotHeader& header = loader_.header();
  if (!loader_.has_slots() || header.optimizer.empty() || table_.optimizer_.empty()) return {};
  const SlotShape own = table_.layout_.slots();
  if (header.optimizer == table_.optimizer_ && header.slots == own) return {};
  const auto describe = [](const std::string& name, SlotShape slots) {
    return name + " with " + std::to_string(slots.vectors) + " vector and " +
           std::to_string(slots.scalars) + " scalar slots";
  };
  return InvalidArgument("The optimizer of both must be the same for slots to be taken over. "
                         "Received: " + describe(table_.optimizer_, own) + ", saved: " +
                         describe(header.optimizer, header.slots) + Where() +
                         "Give `slots=False`: the rows then begin with initial slots.");
}

// A table that was never trained takes the slots' shape over; one that follows deltas does when the
// table that it follows has made all slots anew.
template <class K>
void SnapshotMerge<K>::AdoptSlots() {
  const SnapshotHeader& header = loader_.header();
  const auto same = [&] {
    return table_.optimizer_ == header.optimizer && table_.layout_.slots() == header.slots;
  };
  if (!loader_.has_slots() || header.optimizer.empty()) return;
  if (header.kind == SnapshotKind::kDelta ? header.slots_reset : !same()) {
    table_.ChangeLayout(header.slots, header.initial_slot_values, header.optimizer);
  }
  takes_slots_ = same();
}

// After this, neither removing the delta's keys nor adding its rows needs memory.
template <class K>
void SnapshotMerge<K>::ReserveRows() {
  for (int s = 0; s < kShards; ++s) {
    Shard& shard = *table_.shards_[s];
    const uint32_t rows = loader_.fresh().shards_[s]->index.size();
    std::unique_lock<RwLock> lock(shard.mutex);
    shard.index.Reserve(uint64_t{rows});
    shard.arena.Reserve(uint64_t{rows});
    shard.arena.ReserveFree(loader_.removed()[s].size());
    if (table_.epoch_ != 0) shard.stamps.reserve(size_t{shard.arena.high_water()} + rows);
  }
}

template <class K>
void SnapshotMerge<K>::CopyRow(char* loaded, char* record) const noexcept {
  const RowLayout& from = loader_.fresh().layout_;
  const RowHeader* row = RowLayout::header(loaded);
  RowHeader* header = RowLayout::header(record);
  header->count = row->count;
  header->last_step = row->last_step;
  header->last_time = row->last_time;
  std::memcpy(RowLayout::embedding(record), RowLayout::embedding(loaded), from.embedding_bytes());
  if (takes_slots_) {
    std::memcpy(table_.layout_.slots(record), from.slots(loaded),
                sizeof(float) * from.slot_floats());
  } else {
    table_.InitializeSlots(record);
  }
}

template <class K>
char* SnapshotMerge<K>::AddRecord(Shard& shard, uint64_t hash, char* loaded) noexcept {
  shard.ReserveStamp();
  const uint32_t number = shard.arena.Allocate();
  shard.BeforeChange(number);
  char* record = shard.arena.at(number);
  // The key moves with all that it owns; the loaded record is left without.
  constexpr size_t kPrefix = Keys<K>::kPrefix;
  std::memcpy(record - kPrefix, loaded - kPrefix, kPrefix);
  RowLayout::header(record)->key = RowLayout::header(loaded)->key;
  RowLayout::header(loaded)->key = 0;
  RowLayout::header(record)->generation = shard.NextGeneration();
  shard.index.Insert(TagOf(hash), number);
  shard.key_bytes += Keys<K>::bytes(Keys<K>::Load(record));
  ++shard.insertions;
  return record;
}

template <class K>
void SnapshotMerge<K>::MergeRow(int s, char* loaded, bool forget_waiting) noexcept {
  Shard& shard = *table_.shards_[s];
  const K key = Keys<K>::Load(loaded);
  const uint64_t hash = HashKey(key);
  if (const uint32_t number = table_.FindIn(shard, key, hash); number != HashIndex::kNone) {
    char* record = shard.arena.at(number);
    shard.BeforeChange(number);
    table_.AddToSum(shard, record, -1.0);
    CopyRow(loaded, record);
    table_.AddToSum(shard, record, 1.0);
    return;
  }
  char* record = AddRecord(shard, hash, loaded);
  CopyRow(loaded, record);
  table_.AddToSum(shard, record, 1.0);
  if (!forget_waiting || table_.filters_[s] == nullptr) return;
  try {
    table_.filters_[s]->Forget(Keys<K>::Load(record), hash);
  } catch (const std::bad_alloc&) {
    // It waits on; nobody asks about a key that has a row.
  }
}

template <class K>
void SnapshotMerge<K>::MergeShard(int s, bool forget_waiting) noexcept {
  Shard& shard = *table_.shards_[s];
  for (const K& key : loader_.removed()[s]) {
    const uint64_t hash = HashKey(key);
    const uint32_t number = table_.FindIn(shard, key, hash);
    if (number != HashIndex::kNone) table_.EraseFrom(shard, number, hash);
  }
  const Shard& loaded = *loader_.fresh().shards_[s];
  for (uint32_t n = 0; n < loaded.arena.high_water(); ++n) {
    char* record = loaded.arena.at(n);
    if (RowLayout::header(record)->generation != Shard::kFreed) MergeRow(s, record, forget_waiting);
  }
}

template <class K>
Status SnapshotMerge<K>::Merge() {
  const SnapshotHeader& header = loader_.header();
  std::unique_lock<ScanGate> no_save(table_.gate_);
  std::unique_lock<RwLock> lock(table_.mutex_);
  if (Status same = CheckOptimizer(); !same.ok()) return same;
  AdoptSlots();
  ReserveRows();
  {
    const ExclusiveShards all(table_.shards_);
    executor_.ParallelFor(kShards, 1 << 20, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) MergeShard(static_cast<int>(first), true);
    });
    // Rows carry steps of their table: none may be of the future.
    table_.step_ = std::max(table_.step_.load(), header.step);
    table_.times_.Raise(header.newest_time);
  }
  if (table_.options_.eviction.bounded()) table_.Trim(table_.options_.eviction);
  return {};
}

template <class K>
Status SnapshotMerge<K>::CheckChain() const {
  const SnapshotHeader& header = loader_.header();
  const Cursor since{header.cursor.life, header.since};
  if (table_.follows_ == since) return {};
  const std::string at = table_.follows_.none() ? "of no base" : "'" + table_.follows_.ToText() + "'";
  return FailedPrecondition("A delta must follow the state that the table has. Received: a table at " +
                            at + ", and a delta since '" + since.ToText() + "'" + Where() +
                            "Restore the base of the chain and apply its deltas in their order.");
}

template <class K>
Status SnapshotMerge<K>::CheckFollows() const {
  std::shared_lock<RwLock> lock(table_.mutex_);
  return CheckChain();
}

template <class K>
void SnapshotMerge<K>::TakeFilters() {
  // Those of a delta are whole.
  for (int s = 0; s < kShards; ++s) {
    std::swap(table_.filters_[s], loader_.fresh().filters_[s]);
  }
}

template <class K>
Status SnapshotMerge<K>::Apply() {
  SnapshotHeader header = loader_.header();
  std::unique_lock<ScanGate> no_save(table_.gate_);
  std::unique_lock<RwLock> lock(table_.mutex_);
  if (Status follows = CheckChain(); !follows.ok()) return follows;
  AdoptSlots();
  ReserveRows();
  {
    const ExclusiveShards all(table_.shards_);
    executor_.ParallelFor(kShards, 1 << 20, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) MergeShard(static_cast<int>(first), !header.with_slots);
    });
    if (header.with_slots) TakeFilters();
    table_.step_ = header.step;
    table_.times_.Restore(header.newest_time);
    table_.hyperparameters_.swap(header.hyperparameters);
    table_.follows_ = header.cursor;
  }
  // A follower's bound is its own.
  if (table_.options_.eviction.bounded()) table_.Trim(table_.options_.eviction);
  return {};
}

template <class K>
std::vector<uint32_t> SnapshotMerge<K>::UnloadedRecords(int s) const {
  const Shard& shard = *table_.shards_[s];
  const Shard& loaded = *loader_.fresh().shards_[s];
  std::vector<uint32_t> numbers;
  shard.index.ForEach([&](uint32_t number) {
    const K key = Keys<K>::Load(shard.arena.at(number));
    if (loader_.fresh().FindIn(loaded, key, HashKey(key)) == HashIndex::kNone) {
      numbers.push_back(number);
    }
  });
  return numbers;
}

template <class K>
void SnapshotMerge<K>::AssignRow(Shard& shard, char* loaded) noexcept {
  const uint64_t hash = HashKey(Keys<K>::Load(loaded));
  const size_t bytes = table_.layout_.embedding_bytes();
  const uint32_t number = table_.FindIn(shard, Keys<K>::Load(loaded), hash);
  if (number != HashIndex::kNone) {
    char* record = shard.arena.at(number);
    if (std::memcmp(RowLayout::embedding(record), RowLayout::embedding(loaded), bytes) == 0) return;
    shard.BeforeChange(number);
    std::memcpy(RowLayout::embedding(record), RowLayout::embedding(loaded), bytes);
    return;
  }
  char* record = AddRecord(shard, hash, loaded);
  std::memcpy(RowLayout::embedding(record), RowLayout::embedding(loaded), bytes);
  table_.InitializeSlots(record);
  // The row is as old as it was when the state was taken.
  const RowHeader* row = RowLayout::header(loaded);
  const Moment now = table_.Now();
  const auto taken_step = static_cast<uint32_t>(loader_.header().step);
  const uint32_t steps = taken_step - std::min(row->last_step, taken_step);
  const uint32_t taken_time = loader_.header().newest_time;
  const uint32_t seconds = taken_time - std::min(row->last_time, taken_time);
  const uint32_t last_time = table_.times_.last();
  RowHeader* header = RowLayout::header(record);
  header->count = row->count;
  header->last_step = now.step - std::min(steps, now.step);
  header->last_time = row->last_time == 0 ? 0 : last_time - std::min(seconds, last_time);
}

template <class K>
void SnapshotMerge<K>::AssignShard(int s, const std::vector<uint32_t>& unloaded) noexcept {
  Shard& shard = *table_.shards_[s];
  for (const uint32_t number : unloaded) {
    table_.EraseFrom(shard, number, table_.HashOfKey(shard.arena.at(number)));
  }
  Shard& loaded = *loader_.fresh().shards_[s];
  for (uint32_t n = 0; n < loaded.arena.high_water(); ++n) {
    char* record = loaded.arena.at(n);
    if (RowLayout::header(record)->generation != Shard::kFreed) AssignRow(shard, record);
  }
  shard.row_sum.swap(loaded.row_sum);  // of the same rows, without what many updates rounded
}

template <class K>
void SnapshotMerge<K>::Assign() {
  const SnapshotHeader& header = loader_.header();
  std::unique_lock<ScanGate> no_save(table_.gate_);
  std::unique_lock<RwLock> lock(table_.mutex_);
  std::array<std::vector<uint32_t>, kShards> unloaded;
  for (int s = 0; s < kShards; ++s) {
    unloaded[s] = UnloadedRecords(s);
    std::unique_lock<RwLock> shard_lock(table_.shards_[s]->mutex);
    table_.shards_[s]->arena.ReserveFree(unloaded[s].size());
  }
  ReserveRows();
  {
    const ExclusiveShards all(table_.shards_);
    table_.times_.Raise(header.newest_time);
    executor_.ParallelFor(kShards, 1 << 20, [&](int64_t first, int64_t last) {
      for (; first < last; ++first) AssignShard(static_cast<int>(first), unloaded[first]);
    });
    TakeFilters();
    table_.options_.initializer.seed = header.initializer.seed;
    if (header.initializer.block != nullptr) {
      table_.options_.initializer.block = header.initializer.block;
    }
    table_.follows_ = {};
  }
  if (table_.options_.eviction.bounded()) table_.Trim(table_.options_.eviction);
}

template class SnapshotMerge<int64_t>;
template class SnapshotMerge<std::string_view>;

}  // namespace recs
