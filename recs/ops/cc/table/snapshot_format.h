// What the blocks of a snapshot hold: the numbers of kinds, the header, the initial rows and the
// manifest. Records are in scan.cc and snapshot_loader.cc, filters in snapshot_filters.cc.
#ifndef RECS_TABLE_SNAPSHOT_FORMAT_H_
#define RECS_TABLE_SNAPSHOT_FORMAT_H_

#include <cstdint>
#include <vector>

#include "table/block.h"
#include "table/snapshot.h"

namespace recs {

constexpr char kSnapshotMagic[8] = {'R', 'E', 'C', 'S', 'T', 'A', 'B', '\0'};
constexpr uint32_t kSnapshotVersion = 1;
constexpr uint32_t kSnapshotByteOrder = 0x01020304u;
constexpr uint32_t kHeaderBlock = 1;
constexpr uint32_t kRecordBlock = 2;
constexpr uint32_t kFilterBlock = 3;
constexpr uint32_t kInitialRowsBlock = 4;
constexpr uint32_t kRemovalBlock = 5;
constexpr uint32_t kManifestBlock = 6;

void PutHeader(BlockWriter& block, const SnapshotHeader& header);
// False when the bytes are not a header of this version.
bool GetHeader(BlockReader& block, SnapshotHeader* header);

// What a record has between its key and the values of its row.
struct RecordCounts {
  uint32_t count, last_step, last_time;
};
inline RowLayout LayoutOf(const SnapshotHeader& header) {
  return RowLayout(header.dim, header.storage, header.slots_of_records());
}
inline size_t RecordBytes(const RowLayout& layout) {  // without the key
  return sizeof(RecordCounts) + layout.embedding_bytes() + sizeof(float) * layout.slot_floats();
}

// The rows that a kBlock initializer picks from.
void PutInitialRows(BlockWriter& block, const RowInitializer& initializer);
// False when the initializer is of another kind or has its rows, or the bytes are no whole rows.
bool GetInitialRows(BlockReader& block, int dim, RowInitializer* initializer);

// What all blocks before the manifest were.
struct Manifest {
  std::vector<uint64_t> checksums;  // one a block, in order
  int64_t records = 0;
  int64_t removals = 0;
};
void PutManifest(BlockWriter& block, const Manifest& manifest);
// Whether a manifest block tells of just these blocks.
bool IsManifestOf(BlockReader& block, const Manifest& manifest);

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_FORMAT_H_
