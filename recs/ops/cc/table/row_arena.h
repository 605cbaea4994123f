// Memory for records, addressed by a 32-bit number, that never moves a record once it is there.
//
// The first slabs hold 16, 32, 64, ... records, so that a small table stays small; from some
// hundred kilobytes on, all slabs are of one size and come from the table's pool. Which slab a
// number is in follows from its bits.
//
// Not thread-safe: the shard's lock guards it.
#ifndef RECS_TABLE_ROW_ARENA_H_
#define RECS_TABLE_ROW_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "table/slab_pool.h"

namespace recs {

class RowArena {
 public:
  // at() points `prefix` bytes into a record, both multiples of 8.
  RowArena(size_t stride, size_t prefix, std::shared_ptr<SlabPool> pool);
  ~RowArena();
  RowArena(const RowArena&) = delete;
  RowArena& operator=(const RowArena&) = delete;
  RowArena(RowArena&& other) noexcept;
  RowArena& operator=(RowArena&& other) noexcept;

  // The number of a record with zeroed bytes, or one that was freed (its header is then kept).
  // Throws std::bad_alloc and leaves the arena as it was.
  uint32_t Allocate();
  void Free(uint32_t number) { free_.push_back(number); }
  // Makes room to free one more record; Free after it cannot fail.
  void ReserveFree() {
    if (free_.size() == free_.capacity()) free_.reserve(2 * free_.size() + 16);
  }
  // The same for many.
  void ReserveFree(size_t rows) { free_.reserve(free_.size() + rows + 1); }
  // Makes room for many more records; Allocate of them cannot fail.
  void Reserve(uint64_t rows);
  // Takes over which numbers are free, from an arena with the same high water mark.
  void CopyFreeList(const RowArena& other) { free_ = other.free_; }

  char* at(uint32_t number) const {
    // Counted from 16, slab g of the growing ones holds the numbers whose highest bit is 4 + g.
    const uint64_t n = uint64_t{number} + kFirstSlab;
    if (n >= slab_rows_) {
      return slabs_[growing_ + (n >> slab_bits_) - 1] + (n & (slab_rows_ - 1)) * stride_;
    }
    const int bit = 63 - __builtin_clzll(n);
    return slabs_[bit - kFirstBit] + (n - (uint64_t{1} << bit)) * stride_;
  }

  // How many numbers were ever handed out, freed ones included.
  uint32_t high_water() const { return next_; }
  // Of all records below the high water mark; the rest of the last slab costs no memory yet.
  size_t used_bytes() const { return next_ * stride_; }

 private:
  static constexpr int kFirstBit = 4;
  static constexpr uint64_t kFirstSlab = uint64_t{1} << kFirstBit;

  char* NewSlab(size_t slab) const;
  void AddSlab();
  void Release();

  size_t stride_;
  size_t prefix_;
  std::shared_ptr<SlabPool> pool_;
  int slab_bits_;       // a slab of the final size holds 2^slab_bits records
  uint64_t slab_rows_;
  int growing_;         // how many smaller slabs come before
  uint32_t next_ = 0;
  uint64_t capacity_ = 0;
  std::vector<char*> slabs_;  // each `prefix_` bytes in
  std::vector<uint32_t> free_;
};

}  // namespace recs

#endif  // RECS_TABLE_ROW_ARENA_H_
