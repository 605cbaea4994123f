// Reads a snapshot once, block by block, into a table beside the one it is for.
//
// Blocks are checked and parsed by all threads of an executor, some at a time, and then each shard's
// records are inserted by one of them, in the order of the blocks: the loaded table does not depend
// on the number of threads. The table it is for is only looked at.
#ifndef RECS_TABLE_SNAPSHOT_LOADER_H_
#define RECS_TABLE_SNAPSHOT_LOADER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "table/snapshot.h"
#include "table/snapshot_filters.h"
#include "table/snapshot_format.h"

namespace recs {

template <class K>
class SnapshotLoader {
 public:
  // `slots`: whether to keep those of the snapshot.
  SnapshotLoader(BlockSource& source, const Table<K>& table, bool slots, Executor& executor)
      : source_(source), table_(table), keep_slots_(slots), executor_(executor) {}

  // Reads the header, so that the caller may look whether the snapshot is one it takes.
  Status ReadHeader();
  // Reads all else. Throws std::bad_alloc.
  Status ReadRest();

  const SnapshotHeader& header() const { return header_; }
  // Has the snapshot's records, filters, seed, step and newest time.
  Table<K>& fresh() { return *fresh_; }
  // The slots that the fresh table has.
  bool has_slots() const { return keep_slots_ && header_.with_slots; }
  // The keys that a delta removes, by shard; they point into the loader.
  const std::array<std::vector<K>, kShards>& removed() const { return removed_; }

 private:
  struct Entry {  // of a record in its block: where it lies behind its key
    uint64_t hash;
    K key;
    const char* values;
  };
  struct Block {
    std::string storage;
    std::string_view bytes;
    BlockReader reader;
    uint32_t kind = 0;
    bool opened = false;
    std::string wrong;  // what is, if anything
    std::vector<Entry> entries;  // of records, by shard
    std::array<uint32_t, kShards + 1> begin;
  };

  Status CheckHeader();
  void MakeFresh();
  Status Fill(size_t most, bool* end);
  void Parse(Block& block) const;
  void ParseRecords(Block& block) const;
  Status AddOthers(Block& block, int64_t number, bool* complete);
  Status AddRemovals(Block& block, int64_t number);
  // Whether a key of the shard was there before.
  bool Insert(int s);
  Status Load();
  Status Damaged(const std::string& what) const;

  BlockSource& source_;
  const Table<K>& table_;
  const bool keep_slots_;
  Executor& executor_;
  SnapshotHeader header_;
  std::unique_ptr<Table<K>> fresh_;
  std::optional<FilterLoader<K>> filters_;
  std::vector<Block> blocks_;
  size_t count_ = 0;  // of them in use
  Manifest manifest_;
  std::vector<std::string> removal_blocks_;
  std::array<std::vector<K>, kShards> removed_;
};

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_LOADER_H_
