// A snapshot that is being written while writers go on.
//
// Begin takes its moment: for an instant no operation that changes the table is under way. From then
// on the scan reads records shard after shard, some hundred kilobytes under a shard's lock, and a
// writer keeps a copy of what it changes before the scan has come there: see item_scan.h. The
// copies' memory is bounded: see scan_gate.h. Readers never wait; writers wait for parts of a
// millisecond, and longer only where the sink takes bytes more slowly than they change records.
#ifndef RECS_TABLE_SCAN_H_
#define RECS_TABLE_SCAN_H_

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "table/item_scan.h"
#include "table/snapshot.h"
#include "table/snapshot_format.h"

namespace recs {

template <class K>
class Scan {
 public:
  // Waits until no other scan is under way. The table must outlive the scan.
  static Status Begin(const Table<K>& table, const WriteOptions& options,
                      std::unique_ptr<Scan>* scan);
  // Writers are free again.
  ~Scan();
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  // Of the moment.
  const SnapshotHeader& header() const { return header_; }

  // Once. Throws std::bad_alloc, also when a writer had no memory for a copy.
  Status Write(BlockSink& sink);

 private:
  using Parts = std::array<std::unique_ptr<ItemScan>, kShards>;

  Scan(const Table<K>& table, const WriteOptions& options);
  void Prepare();
  Status TakeMoment();
  Status CheckCursor() const;
  void DescribeTable();
  void BeginRecords();
  void BeginFilters();
  bool PutRecord(const Shard& shard, uint32_t number, BlockWriter& block) const;
  void End() noexcept;

  // Writing: each closes blocks and gives them to the sink.
  Status Append(BlockWriter block);
  Status WriteParts(const Parts& parts);
  Status WriteKept(ItemScan& part, Shard& shard);
  Status MakeRoom();
  Status WriteRemovals();

  const Table<K>& table_;
  const WriteOptions options_;
  std::unique_lock<ScanGate> gate_;
  SnapshotHeader header_;
  Parts records_;
  Parts filters_;
  std::vector<std::vector<uint32_t>> stamps_;  // for a table that has none yet
  Cursor new_life_;
  std::array<std::pair<size_t, size_t>, kShards> removals_{};  // from the first to behind the last
  BlockSink* sink_ = nullptr;
  Manifest manifest_;
};

}  // namespace recs

#endif  // RECS_TABLE_SCAN_H_
