#include "table/item_scan.h"

#include <new>

namespace recs {
namespace {

// A writer's blocks are small, so that many shards' together take little more than what is in them.
constexpr size_t kKeptBytes = size_t{64} << 10;

size_t WordsOf(uint32_t items) { return size_t{items} / 64 + 1; }

}  // namespace

ItemScan::ItemScan(BlockWriter empty, uint32_t items, Put put, ScanGate* gate)
    : empty_(std::move(empty)), put_(std::move(put)), gate_(gate) {
  marks_.reserve(WordsOf(items) + WordsOf(items) / 8 + 16);
  marks_.assign(WordsOf(items), 0);
}

void ItemScan::Begin(uint32_t items) {
  marks_.resize(WordsOf(items), 0);
  next_ = 0;
  end_ = items;
}

BlockWriter ItemScan::NewBlock(std::string memory) const {
  BlockWriter block = empty_;
  block.MoveInto(std::move(memory));
  block.Reserve(kBlockBytes + kBlockBytes / 64);
  return block;
}

void ItemScan::Keep(uint32_t item) noexcept {
  marks_[item / 64] |= uint64_t{1} << item % 64;
  try {
    if (kept_.empty() || kept_.back().size() >= kKeptBytes) {
      BlockWriter block = empty_;
      block.Reserve(kKeptBytes + kKeptBytes / 16);
      kept_.push_back(std::move(block));
    }
    BlockWriter& block = kept_.back();
    const size_t before = block.size();
    if (!put_(item, block)) return;
    ++written_;
    const size_t bytes = block.size() - before;
    kept_bytes_ += bytes;
    gate_->Keep(bytes);
  } catch (const std::bad_alloc&) {
    gate_->Fail();  // the save fails; what changes the record does not
  }
}

bool ItemScan::Advance(size_t size, BlockWriter& block) {
  for (; next_ < end_; ++next_) {
    if (block.size() >= size) return true;
    const uint64_t marks = marks_[next_ / 64];
    if ((marks >> next_ % 64 & 1) != 0) continue;
    written_ += put_(next_, block);
  }
  return false;
}

std::vector<BlockWriter> ItemScan::TakeKept(size_t* bytes) {
  *bytes = std::exchange(kept_bytes_, 0);
  return std::exchange(kept_, {});
}

}  // namespace recs
