// The state of a table, or what changed in it, as a sequence of blocks, each with a checksum.
//
// The header comes first (versions, key type, dimension, optimizer, slots, seed, step, row count),
// and the manifest last, which tells how many blocks there must have been. Between them come the
// rows that a drawn initializer picks from, what admission has counted, whole records (key, counts,
// embedding, slots), and in a delta the keys that were removed. See docs/formats/table.md.
//
// Writing takes all from one moment while writers go on: see scan.h. Reading checks every block
// before the table changes, and then changes it at once, so that a damaged or foreign snapshot
// changes nothing and a reader sees the table as it was before or as it is after.
#ifndef RECS_TABLE_SNAPSHOT_H_
#define RECS_TABLE_SNAPSHOT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "table/change_log.h"
#include "table/executor.h"
#include "table/status.h"
#include "table/table.h"

namespace recs {

class BlockSink {
 public:
  virtual ~BlockSink() = default;
  virtual Status Append(std::string block) = 0;
  // A block that it needs no more, for its memory; or an empty string.
  virtual std::string Spare() { return {}; }
};

class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // The next block, or `*end = true` after the last one. Its bytes are in `*storage` or elsewhere,
  // and stay as long as both the storage and the source do.
  virtual Status Next(std::string* storage, std::string_view* block, bool* end) = 0;
  // What the messages call it.
  virtual std::string name() const = 0;
};

enum class SnapshotKind : uint32_t {
  kState = 0,
  kBase = 1,   // a state that deltas follow
  kDelta = 2,  // what changed since a cursor
};

struct WriteOptions {
  SnapshotKind kind = SnapshotKind::kState;
  bool slots = true;  // and, of a delta, what admission has counted
  Cursor since;       // of a delta
};

struct ReadOptions {
  bool merge = false;  // add to what is there, and replace the rows of keys that are
  bool slots = true;   // false: as if the state had none
};

struct SnapshotHeader {
  KeyType key_type = KeyType::kInt64;
  int32_t dim = 0;
  Storage storage = Storage::kFloat32;
  SlotShape slots;
  bool with_slots = true;  // whether the records have them
  RowInitializer initializer;
  int64_t step = 0;
  int64_t rows = 0;  // of the table; of a delta, not all are in it
  uint32_t newest_time = 0;
  SnapshotKind kind = SnapshotKind::kState;
  Cursor cursor;                // of the moment; of a state, that which the table had taken over
  uint64_t since = 0;           // of a delta: the epoch of the cursor that it follows
  bool slots_reset = false;     // of a delta: all slots were made anew since
  std::string optimizer;
  std::vector<float> initial_slot_values;
  std::vector<Hyperparameter> hyperparameters;

  SlotShape slots_of_records() const { return with_slots ? slots : SlotShape{}; }
};

template <class K>
class Snapshot {
 public:
  // `cursor`, which may be null, becomes that of the moment when the kind is a base or a delta.
  static Status Write(const Table<K>& table, BlockSink& sink, const WriteOptions& options = {},
                      Cursor* cursor = nullptr);
  // Replaces the table's contents with a state, or merges it into them.
  static Status Read(BlockSource& source, Table<K>* table, const ReadOptions& options,
                     Executor& executor);
  static Status Read(BlockSource& source, Table<K>* table);
  // Gives the table the keys and rows of a state, and no others. Slots of keys that it has stay, as
  // do its step and optimizer; rows of other keys get initial slots.
  static Status Assign(BlockSource& source, Table<K>* table, Executor& executor);
  // Takes over a delta that follows the state the table was restored from, or the delta before.
  static Status Apply(BlockSource& source, Table<K>* table, Executor& executor);
  // What Read (of a base) or Apply (of a delta) would say, short of memory; changes nothing.
  static Status Check(BlockSource& source, Table<K>* table, bool base, Executor& executor);
};

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_H_
