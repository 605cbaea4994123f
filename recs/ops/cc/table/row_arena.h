// Memory for records, addressed by a 32-bit number, that never moves a record once it is there.
//
// Chunk c holds 16 * 2^c records, so the chunk of a number is found from its leading bit and a
// small table stays small. Large chunks come from the operating system directly, untouched pages
// cost nothing, and huge pages are asked for: a random row then costs one TLB miss less.
//
// Not thread-safe: the shard's lock guards it.
#ifndef RECS_TABLE_ROW_ARENA_H_
#define RECS_TABLE_ROW_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace recs {

class RowArena {
 public:
  explicit RowArena(size_t stride) : stride_(stride) {}
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
  // Takes over which numbers are free, from an arena with the same high water mark.
  void CopyFreeList(const RowArena& other) { free_ = other.free_; }

  char* at(uint32_t number) const {
    const uint32_t block = number / kFirstChunk + 1;
    const int chunk = 31 - __builtin_clz(block);
    const uint32_t before = ((uint32_t{1} << chunk) - 1) * kFirstChunk;
    return chunks_[chunk].data + size_t{number - before} * stride_;
  }

  // How many numbers were ever handed out, freed ones included.
  uint32_t high_water() const { return next_; }
  size_t reserved_bytes() const;

 private:
  static constexpr uint32_t kFirstChunk = 16;
  struct Chunk {
    char* data;    // first record
    char* base;    // what was allocated
    size_t bytes;  // of the allocation
    bool mapped;   // from mmap rather than calloc
  };
  static Chunk NewChunk(size_t bytes);
  void Release();

  size_t stride_;
  uint32_t next_ = 0;
  uint64_t capacity_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> free_;
};

}  // namespace recs

#endif  // RECS_TABLE_ROW_ARENA_H_
