// Numbered items (the records of a shard, the entries of its filter) on their way into a snapshot
// while writers go on.
//
// The scan goes through the items that were there at its moment in the order of their numbers. A
// writer that comes to one first puts it, as it is, into blocks of its own, and marks it, so that
// every item is written once and as it was at that moment. Items may be written in any order.
//
// The shard's lock guards it: exclusive for writers, shared for the one thread that scans.
#ifndef RECS_TABLE_ITEM_SCAN_H_
#define RECS_TABLE_ITEM_SCAN_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "table/block.h"
#include "table/scan_gate.h"

namespace recs {

class ItemScan {
 public:
  // Appends an item to a block, or returns false when it is none: a free place, or unchanged.
  using Put = std::function<bool(uint32_t item, BlockWriter& block)>;

  // Blocks begin like `empty`. Marks for about `items` are made now, so that Begin is quick.
  ItemScan(BlockWriter empty, uint32_t items, Put put, ScanGate* gate);

  void SetEmpty(BlockWriter empty) { empty_ = std::move(empty); }
  // The moment: there are items [0, items). Throws std::bad_alloc when they are far more.
  void Begin(uint32_t items);

  // Of a writer, before it changes an item.
  void BeforeChange(uint32_t item) noexcept {
    if (item < next_ || item >= end_ || (marks_[item / 64] >> item % 64 & 1) != 0) return;
    Keep(item);
  }

  // Appends items until the block has `size` bytes; false when all were seen.
  bool Advance(size_t size, BlockWriter& block);
  // The blocks that writers have filled so far, and how many bytes they have.
  std::vector<BlockWriter> TakeKept(size_t* bytes);
  // A block for Advance to fill, in memory that was a block before, or in new.
  BlockWriter NewBlock(std::string memory) const;
  bool IsEmpty(const BlockWriter& block) const { return block.size() == empty_.size(); }
  int64_t written() const { return written_; }

 private:
  void Keep(uint32_t item) noexcept;

  BlockWriter empty_;
  Put put_;
  ScanGate* gate_;
  std::vector<uint64_t> marks_;
  uint32_t next_ = 0;
  uint32_t end_ = 0;
  int64_t written_ = 0;
  std::vector<BlockWriter> kept_;
  size_t kept_bytes_ = 0;
};

}  // namespace recs

#endif  // RECS_TABLE_ITEM_SCAN_H_
