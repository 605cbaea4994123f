// A table from keys to rows that grows with the keys it is trained on.
//
//   Find            reads; unknown keys get the default; changes nothing
//   FindOrInsert    training's look-up; unknown keys get their initial row, which is stored
//   Upsert, Remove  set and delete rows by key
//   Evict           deletes what the policies say
//   Export          all keys and rows
//
// Every operation is safe beside every other. Results do not depend on the number of threads.
#ifndef RECS_TABLE_TABLE_H_
#define RECS_TABLE_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "table/admission.h"
#include "table/change_log.h"
#include "table/combine.h"
#include "table/eviction.h"
#include "table/hash.h"
#include "table/table_base.h"
#include "table/unique_keys.h"

namespace recs {

template <class K>
class Scan;
template <class K>
class SnapshotLoader;
template <class K>
class SnapshotMerge;
template <class K>
class RecordRings;

template <class K>
class Table final : public TableBase {
 public:
  using Key = K;
  // The options must have passed CheckAdmission and CheckEviction.
  explicit Table(const TableOptions& options);
  ~Table() override;

  KeyType key_type() const override { return Keys<K>::kType; }

  // output (n, dim). Masked positions (mask[p] false) become zeros; `mask` may be null.
  // `found` (n) may be null.
  void Find(const K* keys, const bool* mask, int64_t n, float* output, bool* found,
            Executor& executor) const;
  // output (segments, dim), combined as `batch` says; unknown keys count with the default row.
  void FindCombined(const K* keys, const bool* mask, const Segments& batch, float* output,
                    Executor& executor) const;

  // The rows of distinct keys, inserted where they are new: row u goes to rows + place[u] * dim
  // (to rows + u * dim when `place` is null; nowhere when `rows` is), its handle to handles[u].
  // `time`, in seconds, is noted with the rows, and how often each key occurs. A new key that is not
  // admitted has the default row and the handle RowHandle::None. Throws std::bad_alloc; keys
  // inserted before that stay.
  void FindOrInsert(const K* keys, const UniqueKeys<K>& unique, uint32_t time, const int32_t* place,
                    float* rows, int64_t* handles, Executor& executor);

  // Sets rows (n, dim); of equal keys the last counts. New keys get initial slots, others keep
  // theirs. A row that training has never looked up counts as used in this step.
  void Upsert(const K* keys, const float* rows, int64_t n, Executor& executor);
  // Returns how many of the keys were there.
  int64_t Remove(const K* keys, int64_t n, Executor& executor);
  void Clear() override;
  // Evicts what has expired by these options, and then what is beyond their bounds; returns how
  // many rows. Others go on meanwhile: no lock is held for more than a part of a shard.
  int64_t Evict(const EvictionOptions& eviction) override;
  // Takes the keys that were evicted since the last call, up to a million, shard after shard.
  using KeyOut = std::conditional_t<std::is_same_v<K, int64_t>, int64_t, std::string>;
  void TakeEvictedKeys(std::vector<KeyOut>* keys);

  // All keys, and rows (size, dim), from one moment; in no particular but a repeatable order.
  void Export(std::vector<KeyOut>* keys, std::vector<float>* rows) const;

  // What is noted with keys (n); zeros for those that are not there. Does not count as a look-up.
  void Metadata(const K* keys, int64_t n, RowMetadata* metadata) const;
  // Calls begin(n, layout, optimizer) and, if it returns true, visit(i, key, record) for n records
  // in the order of Export, all from one moment. With `limit` >= 0 they are at most about that
  // many, chosen by the hash of their keys, so that they stand for all.
  using Begin = std::function<bool(int64_t, const RowLayout&, const std::string&)>;
  using Visit = std::function<void(int64_t, K, const char*)>;
  void VisitRecords(int64_t limit, const Begin& begin, const Visit& visit) const;

 private:
  friend class Scan<K>;
  friend class SnapshotLoader<K>;
  friend class SnapshotMerge<K>;
  friend class RecordRings<K>;

  bool SameKey(const Shard& shard, uint32_t number, K key) const {
    return Keys<K>::Load(shard.arena.at(number)) == key;
  }
  uint32_t FindIn(const Shard& shard, K key, uint64_t hash) const {
    return shard.index.Find(TagOf(hash),
                            [&](uint32_t number) { return SameKey(shard, number, key); });
  }
  // Adds a record for a key that is not there; embedding and slots are the caller's to write.
  uint32_t InsertInto(Shard& shard, K key, uint64_t hash);
  void EraseFrom(Shard& shard, uint32_t number, uint64_t hash);
  // Frees the keys of a shard that is about to lose its records.
  static void ReleaseKeys(const Shard& shard);
  // Rows of distinct keys [begin, end), all of one shard, whose lock the caller holds; cold (dim) for
  // those that are not admitted.
  void FindOrInsertInto(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique,
                        uint32_t time, const float* cold, const int32_t* place, float* rows,
                        int64_t* handles);
  void UpsertInto(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique,
                  const int32_t* last_position, const float* rows);

  // In table_policies.cc. Callers hold the shard's lock, and of an exact table those of all shards.
  //
  // The number of a new record for a key of a training look-up, or kNone when it is not admitted.
  uint32_t InsertIfAdmitted(Shard& shard, int s, K key, uint64_t hash, uint32_t occurrences);
  // Evicts until one more row, with so many bytes for its key, is within the bounds.
  void MakeRoom(int s, uint64_t key_bytes);
  // Evicts the next victim of shards [first, last); false when they are empty.
  bool EvictVictim(VictimPool& pool, int first, int last);
  void ChooseVictims(VictimPool& pool, int first, int last);
  // Marks the rows of known keys as used in this step, so that new ones do not take their place.
  void Touch(Shard& shard, int s, const K* keys, const UniqueKeys<K>& unique);
  void EvictRecord(Shard& shard, int s, uint32_t number);
  int64_t EvictExpired(Shard& shard, int s, uint32_t begin, uint32_t end,
                       const EvictionOptions& eviction, const Moment& now, float* scratch);
  void Sweep() override;
  int64_t Trim(const EvictionOptions& eviction) override;
  // The bytes of a bound that are for what admission counts with: a quarter for keys that wait, and
  // a Bloom filter's own. The rest is for rows.
  int64_t BytesOfFilters(const EvictionOptions& eviction) const;
  EvictionOptions OfRows(const EvictionOptions& eviction) const;
  Room RoomOfRows(const EvictionOptions& eviction) const;
  Room RoomOfRows(const EvictionOptions& eviction, int s) const;
  void BoundFilter(const EvictionOptions& eviction, int s);
  int64_t TrimShards(int first, int last, const Room& room, VictimOrder order);
  bool Exceeds(const Room& room, int first, int last, int64_t new_rows, uint64_t new_bytes) const;
  bool AppendVictim(int s, uint32_t number, VictimOrder order, std::vector<Victim>* victims) const;

  const Filter* filter(int shard) const override { return filters_[shard].get(); }
  uint64_t HashOfKey(const char* record) const override { return HashKey(Keys<K>::Load(record)); }
  // Lists a key that leaves, when changes are followed.
  void LogRemoval(const Shard& shard, int s, K key) noexcept;

  template <class Visit>  // visit(record)
  static void ForEach(const Shard& shard, Visit visit) {
    shard.index.ForEach([&](uint32_t number) { visit(shard.arena.at(number)); });
  }

  // Each guarded by its shard's lock; all null when everything is admitted.
  Filters<K> filters_;
  // A small bound is kept by the table as a whole; what inserts then takes the locks of all shards.
  const bool exact_;
  VictimPool victims_;  // of an exact table
  std::array<std::vector<KeyOut>, kShards> evicted_;  // each guarded by its shard's lock
  mutable std::array<RemovalLog<KeyOut>, kShards> removed_;  // likewise, when changes are followed
  std::mutex sweep_mutex_;  // taken before a shard's lock
  int sweep_shard_ = 0;     // where the next sweep begins
  uint32_t sweep_number_ = 0;
};

}  // namespace recs

#endif  // RECS_TABLE_TABLE_H_
