// A loaded snapshot comes into its table, at one moment for all who read it.
//
// Everything that may fail comes first: checks against the table, memory for its new rows. Then the
// locks of all shards are taken once.
#ifndef RECS_TABLE_SNAPSHOT_MERGE_H_
#define RECS_TABLE_SNAPSHOT_MERGE_H_

#include "table/snapshot_loader.h"

namespace recs {

template <class K>
class SnapshotMerge {
 public:
  SnapshotMerge(BlockSource& source, SnapshotLoader<K>& loader, Table<K>* table,
                Executor& executor)
      : source_(source), loader_(loader), table_(*table), executor_(executor) {}

  // The loaded contents replace the table's.
  void Exchange();
  // The loaded rows are added to the table's, or replace those of the same keys.
  Status Merge();
  // The loaded delta is taken over.
  Status Apply();
  // The table gets the loaded keys and rows, and no others; slots of keys that it has stay.
  void Assign();
  // Whether the loaded delta follows the table's state.
  Status CheckFollows() const;

 private:
  std::string Where() const;
  Status CheckOptimizer() const;
  Status CheckChain() const;
  void AdoptSlots();
  void ReserveRows();
  void MergeShard(int s, bool forget_waiting) noexcept;
  void MergeRow(int s, char* loaded, bool forget_waiting) noexcept;
  // Adds a record without values, which takes the loaded key over.
  char* AddRecord(Shard& shard, uint64_t hash, char* loaded) noexcept;
  // Records of a shard whose keys were not loaded.
  std::vector<uint32_t> UnloadedRecords(int s) const;
  void AssignShard(int s, const std::vector<uint32_t>& unloaded) noexcept;
  void AssignRow(Shard& shard, char* loaded) noexcept;
  void CopyRow(char* loaded, char* record) const noexcept;
  void TakeFilters();

  BlockSource& source_;
  SnapshotLoader<K>& loader_;
  Table<K>& table_;
  Executor& executor_;
  bool takes_slots_ = false;
};

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_MERGE_H_
