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
  uint64_t bytes() const override {
    return index_.bytes() + arena_.used_bytes() + key_bytes_;
  }

  bool Admit(K key, uint64_t hash, uint32_t occurrences, int64_t step, uint32_t* before) override;
  void Forget(K key, uint64_t hash) override;
  uint32_t items() const override { return arena_.high_water(); }
  bool PutItem(uint32_t item, int shard, BlockWriter& block) const override;
  bool Restore(K key, uint64_t hash, uint32_t count) override;

 private:
  uint32_t Find(K key, uint64_t hash) const;
  void Insert(K key, uint64_t hash, uint32_t count);

  uint32_t count_;
  HashIndex index_;
  RowArena arena_;
  uint64_t key_bytes_ = 0;  // of string keys, outside the records
};

}  // namespace recs

#endif  // RECS_TABLE_WAITING_ROOM_H_
