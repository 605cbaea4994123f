// Admission by an exact count: keys without a row, and how often training has met each.
//
// An entry is a bare row header in an arena of its own, found by an index of its own: 24 bytes, and
// about as many of the index. A key that was met often enough leaves, and takes its count along.
#ifndef RECS_TABLE_WAITING_ROOM_H_
#define RECS_TABLE_WAITING_ROOM_H_

#include <cstdint>
#include <memory>

#include "table/admission.h"
#include "table/hash_index.h"
#include "table/row_arena.h"

namespace recs {

template <class K>
class WaitingRoom final : public KeyFilter<K> {
 public:
  // `count`: occurrences that a key needs. `shard`: the number of the shard. `pool`: of the table's
  // waiting rooms.
  WaitingRoom(uint32_t count, int shard, std::shared_ptr<SlabPool> pool);
  ~WaitingRoom() override;

  FilterShape shape() const override { return {AdmissionKind::kMinimumCount, 0, 0, 0}; }
  int64_t waiting() const override { return index_.size(); }
  int64_t dropped() const override { return dropped_; }
  uint64_t bytes() const override {
    return index_.bytes() + arena_.used_bytes() + key_bytes_;
  }

  void Bound(int64_t keys, int64_t bytes) override;
  bool Admit(K key, uint64_t hash, uint32_t occurrences, int64_t step, uint32_t* before) override;
  void Forget(K key, uint64_t hash) override;
  uint32_t items() const override { return arena_.high_water(); }
  bool PutItem(uint32_t item, int shard, BlockWriter& block) const override;
  bool Restore(K key, uint64_t hash, uint32_t count) override;

 private:
  uint32_t Find(K key, uint64_t hash) const;
  void Insert(K key, uint64_t hash, uint32_t count);
  void Erase(uint32_t number, uint64_t hash);
  // Whether `more` keys with so many bytes outside their records would be beyond the bound.
  bool Exceeds(int64_t more, uint64_t key_bytes) const;
  // Forgets a key that was met less often than others; there must be one.
  void ForgetOne();

  uint32_t count_;
  int64_t most_keys_ = 0;   // 0 for any number
  int64_t most_bytes_ = 0;
  int64_t dropped_ = 0;
  uint32_t hand_ = 0;       // where the next look for a key to forget begins
  HashIndex index_;
  RowArena arena_;
  uint64_t key_bytes_ = 0;  // of string keys, outside the records
};

}  // namespace recs

#endif  // RECS_TABLE_WAITING_ROOM_H_
