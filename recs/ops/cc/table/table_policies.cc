// What of a table admits keys and evicts rows.
#include <algorithm>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <utility>

#include "table/exclusive_shards.h"
#include "table/row_kernels.h"
#include "table/table.h"

namespace recs {
namespace {

constexpr int64_t kSwept = 4096;     // records a commit sweeps, and an Evict under one lock
constexpr uint32_t kSampled = 512;   // records looked at for victims, unless all are
constexpr size_t kFewestChosen = 16;
constexpr size_t kLogged = (size_t{1} << 20) / kShards;  // evicted keys of a shard

}  // namespace

template <class K>
uint32_t Table<K>::InsertIfAdmitted(Shard& shard, int s, K key, uint64_t hash,
                                    uint32_t occurrences) {
  uint32_t before = 0;
  KeyFilter<K>* filter = filters_[s].get();
  if (filter != nullptr && !filter->Admit(key, hash, occurrences, step_.load(), &before)) {
    ++shard.not_admitted;
    return HashIndex::kNone;
  }
  if (options_.eviction.bounded()) MakeRoom(s, Keys<K>::bytes(key));
  const uint32_t number = InsertInto(shard, key, hash);
  RowLayout::header(shard.arena.at(number))->count = before;
  if (filter != nullptr) filter->Forget(key, hash);
  return number;
}

template <class K>
void Table<K>::Touch(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique) {
  const int64_t begin = unique.shard_begin[s], end = unique.shard_begin[s + 1];
  // When all keys may come in without anybody leaving, none needs to be protected.
  const Room room = exact_ ? RoomOfRows(options_.eviction) : RoomOfRows(options_.eviction, s);
  if (room.bytes == 0 && !exact_ && !room.Exceeded(shard.index.size() + (end - begin), 0)) return;
  const auto step = static_cast<uint32_t>(step_.load());
  for (int64_t u = begin; u < end; ++u) {
    const uint32_t number = FindIn(shard, keys[unique.first[u]], unique.hashes[u]);
    if (number == HashIndex::kNone) continue;
    shard.BeforeChange(number);
    RowLayout::header(shard.arena.at(number))->last_step = step;
  }
}

template <class K>
bool Table<K>::Exceeds(const Room& room, int first, int last, int64_t new_rows,
                       uint64_t new_bytes) const {
  int64_t rows = new_rows;
  uint64_t bytes = new_bytes;
  for (int s = first; s < last; ++s) {
    rows += shards_[s]->index.size();
    bytes += shards_[s]->key_bytes;
  }
  bytes += rows * (layout_.stride() + kIndexBytesPerRow);
  return room.Exceeded(rows, static_cast<int64_t>(bytes));
}

template <class K>
void Table<K>::MakeRoom(int s, uint64_t key_bytes) {
  if (exact_) {
    const Room room = RoomOfRows(options_.eviction);
    while (Exceeds(room, 0, kShards, 1, key_bytes) && EvictVictim(victims_, 0, kShards)) {
    }
    return;
  }
  const Room room = RoomOfRows(options_.eviction, s);
  while (Exceeds(room, s, s + 1, 1, key_bytes) && EvictVictim(shards_[s]->victims, s, s + 1)) {
  }
}

template <class K>
bool Table<K>::EvictVictim(VictimPool& pool, int first, int last) {
  // What is least worth changes with every step; the sample of a large table is not that exact.
  if (exact_ && pool.step != static_cast<uint32_t>(step_.load())) pool.queue.clear();
  for (;;) {
    while (!pool.queue.empty()) {
      const Victim victim = pool.queue.back();
      pool.queue.pop_back();
      const int s = RowHandle::shard(victim.handle);
      const char* record = shards_[s]->Resolve(victim.handle);
      // Used or replaced since it was chosen.
      if (record == nullptr) continue;
      if (RankOf(options_.eviction.order, *RowLayout::header(record)) != victim.rank) continue;
      EvictRecord(*shards_[s], s, RowHandle::number(victim.handle));
      return true;
    }
    ChooseVictims(pool, first, last);
    if (pool.queue.empty()) return false;
  }
}

template <class K>
bool Table<K>::AppendVictim(int s, uint32_t number, VictimOrder order,
                            std::vector<Victim>* victims) const {
  const char* record = shards_[s]->arena.at(number);
  const RowHeader* row = RowLayout::header(record);
  if (row->generation == Shard::kFreed) return false;
  victims->push_back(
      {RankOf(order, *row), HashOfKey(record), RowHandle::Make(s, row->generation, number)});
  return true;
}

template <class K>
void Table<K>::ChooseVictims(VictimPool& pool, int first, int last) {
  const VictimOrder order = options_.eviction.order;
  const auto step = static_cast<uint32_t>(step_.load());
  std::vector<Victim> resting, used;
  for (int s = first; s < last; ++s) {
    const RowArena& arena = shards_[s]->arena;
    const uint32_t records = arena.high_water();
    // All of an exact table. Of a shard, a sample that goes round it, and on while it has found
    // only rows of this step.
    for (uint32_t seen = 0; seen < records; ++seen) {
      if (!exact_ && seen >= kSampled && !resting.empty()) break;
      if (pool.hand >= records) pool.hand = 0;
      const uint32_t number = exact_ ? seen : pool.hand++;
      const bool rests = RowLayout::header(arena.at(number))->last_step != step;
      AppendVictim(s, number, order, rests ? &resting : &used);
    }
  }
  std::vector<Victim>& found = resting.empty() ? used : resting;
  const size_t chosen = std::min(found.size(), std::max(kFewestChosen, found.size() / 32));
  std::partial_sort(found.begin(), found.begin() + chosen, found.end());
  found.resize(chosen);
  std::reverse(found.begin(), found.end());
  pool.queue = std::move(found);
  pool.step = step;
}

template <class K>
void Table<K>::EvictRecord(Shard& shard, int s, uint32_t number) {
  const K key = Keys<K>::Load(shard.arena.at(number));
  std::vector<KeyOut>& log = evicted_[s];
  KeyOut copy{};
  bool logged = false;
  if (log.size() < kLogged) {
    try {
      if (log.size() == log.capacity()) log.reserve(2 * log.size() + 16);
      copy = KeyOut(key);
      logged = true;
    } catch (const std::bad_alloc&) {
      // Eviction is what gives memory back; it goes on without a note.
    }
  }
  EraseFrom(shard, number, HashKey(key));
  ++shard.evictions;
  if (logged) {
    log.push_back(std::move(copy));
  } else {
    ++shard.unlogged_evictions;
  }
}

template <class K>
void Table<K>::TakeEvictedKeys(std::vector<KeyOut>* keys) {
  const ExclusiveShards all(shards_);
  size_t count = 0;
  for (const auto& log : evicted_) count += log.size();
  keys->clear();
  keys->reserve(count);
  for (auto& log : evicted_) {
    std::move(log.begin(), log.end(), std::back_inserter(*keys));
    log = {};
  }
}

template <class K>
int64_t Table<K>::EvictExpired(Shard& shard, int s, uint32_t begin, uint32_t end,
                               const EvictionOptions& eviction, const Moment& now,
                               float* scratch) {
  constexpr uint32_t kAhead = 8;
  const int dim = layout_.dim();
  const double least = double{eviction.minimum_norm} * eviction.minimum_norm;
  int64_t evicted = 0;
  for (uint32_t number = begin; number < end; ++number) {
    if (number + kAhead < end) __builtin_prefetch(shard.arena.at(number + kAhead));
    char* record = shard.arena.at(number);
    RowHeader* row = RowLayout::header(record);
    if (row->generation == Shard::kFreed) continue;
    // A row that came in before the table knew the time begins its life now.
    if (eviction.seconds_to_live > 0 && row->last_time == 0 && now.time != 0) {
      shard.BeforeChange(number);
      row->last_time = now.time;
    }
    bool expired = ExpiresByAge(eviction, *row, now);
    if (!expired && MayExpireByNorm(eviction, *row, now)) {
      const float* values = embedding_layout_.View(record, scratch);
      expired = Dot(values, values, dim) < least;
    }
    if (!expired) continue;
    EvictRecord(shard, s, number);
    ++evicted;
  }
  return evicted;
}

template <class K>
void Table<K>::Sweep() {
  std::lock_guard<std::mutex> one_at_a_time(sweep_mutex_);
  try {
    std::vector<float> scratch(options_.dim);
    const Moment now = Now();
    int64_t left = kSwept;
    // The shard that it begins in comes again at the end, for its first records.
    for (int visit = 0; visit <= kShards && left > 0; ++visit) {
      Shard& shard = *shards_[sweep_shard_];
      std::unique_lock<RwLock> lock(shard.mutex);
      const uint32_t records = shard.arena.high_water();
      const uint32_t begin = std::min(sweep_number_, records);
      const uint32_t end = static_cast<uint32_t>(std::min<int64_t>(records, begin + left));
      EvictExpired(shard, sweep_shard_, begin, end, options_.eviction, now, scratch.data());
      left -= end - begin;
      sweep_number_ = end;
      if (end == records) {
        sweep_shard_ = (sweep_shard_ + 1) % kShards;
        sweep_number_ = 0;
      }
    }
  } catch (const std::bad_alloc&) {
    // The update is done; the next one sweeps again.
  }
}

template <class K>
int64_t Table<K>::TrimShards(int first, int last, const Room& room, VictimOrder order) {
  if (!Exceeds(room, first, last, 0, 0)) return 0;
  std::vector<Victim> rows;
  for (int s = first; s < last; ++s) {
    const uint32_t records = shards_[s]->arena.high_water();
    for (uint32_t number = 0; number < records; ++number) AppendVictim(s, number, order, &rows);
  }
  const auto worth_more = [](const Victim& a, const Victim& b) { return b < a; };
  std::make_heap(rows.begin(), rows.end(), worth_more);  // the least on top
  int64_t evicted = 0;
  for (; !rows.empty() && Exceeds(room, first, last, 0, 0); ++evicted) {
    const int64_t handle = rows.front().handle;
    std::pop_heap(rows.begin(), rows.end(), worth_more);
    rows.pop_back();
    EvictRecord(*shards_[RowHandle::shard(handle)], RowHandle::shard(handle),
                RowHandle::number(handle));
  }
  return evicted;
}

template <class K>
int64_t Table<K>::BytesOfFilters(const EvictionOptions& eviction) const {
  if (filters_[0] == nullptr || eviction.max_bytes == 0) return 0;
  if (options_.admission.kind == AdmissionKind::kMinimumCount) return eviction.max_bytes / 4;
  int64_t bytes = 0;
  for (const auto& filter : filters_) bytes += static_cast<int64_t>(filter->bytes());
  return bytes;
}

template <class K>
EvictionOptions Table<K>::OfRows(const EvictionOptions& eviction) const {
  EvictionOptions rows = eviction;
  // At least a byte: a single row is kept whatever its size.
  if (rows.max_bytes > 0) rows.max_bytes = std::max<int64_t>(1, rows.max_bytes - BytesOfFilters(eviction));
  return rows;
}

template <class K>
Room Table<K>::RoomOfRows(const EvictionOptions& eviction) const {
  return RoomOf(OfRows(eviction));
}

template <class K>
Room Table<K>::RoomOfRows(const EvictionOptions& eviction, int s) const {
  return RoomOf(OfRows(eviction), s, kShards);
}

template <class K>
void Table<K>::BoundFilter(const EvictionOptions& eviction, int s) {
  if (filters_[s] == nullptr || options_.admission.kind != AdmissionKind::kMinimumCount) return;
  const Room room = RoomOfWaiting(eviction, BytesOfFilters(eviction), s, kShards);
  filters_[s]->Bound(room.rows, room.bytes);
}

template <class K>
int64_t Table<K>::Trim(const EvictionOptions& eviction) {
  const bool exact = IsExact(
      eviction, static_cast<int64_t>(embedding_layout_.stride()) + kIndexBytesPerRow);
  int64_t evicted = 0;
  for (int s = 0; s < kShards; ++s) {
    std::unique_lock<RwLock> lock(shards_[s]->mutex);
    BoundFilter(eviction, s);
    // What a shard has beyond the whole table's bound has to go in any case.
    const Room room = exact ? RoomOfRows(eviction) : RoomOfRows(eviction, s);
    evicted += TrimShards(s, s + 1, room, eviction.order);
  }
  if (exact) {
    const ExclusiveShards all(shards_);
    evicted += TrimShards(0, kShards, RoomOfRows(eviction), eviction.order);
  }
  if (&eviction == &options_.eviction) return evicted;
  for (int s = 0; s < kShards; ++s) {  // another bound is kept at this moment only
    std::unique_lock<RwLock> lock(shards_[s]->mutex);
    BoundFilter(options_.eviction, s);
  }
  return evicted;
}

template <class K>
int64_t Table<K>::Evict(const EvictionOptions& eviction) {
  std::vector<float> scratch(options_.dim);
  int64_t evicted = 0;
  for (int s = 0; eviction.expires() && s < kShards; ++s) {
    for (uint32_t begin = 0;; begin += kSwept) {
      gate_.WaitForRoom();
      std::shared_lock<RwLock> lock(mutex_);
      std::unique_lock<RwLock> shard_lock(shards_[s]->mutex);
      const uint32_t records = shards_[s]->arena.high_water();
      if (begin >= records) break;
      const auto end = static_cast<uint32_t>(std::min<int64_t>(records, begin + kSwept));
      evicted += EvictExpired(*shards_[s], s, begin, end, eviction, Now(), scratch.data());
    }
  }
  if (eviction.bounded()) {
    std::shared_lock<RwLock> lock(mutex_);
    evicted += Trim(eviction);
  }
  return evicted;
}

template class Table<int64_t>;
template class Table<std::string_view>;

}  // namespace recs
