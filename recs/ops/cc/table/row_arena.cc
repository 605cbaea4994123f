#include "table/row_arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <utility>

namespace recs {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

RowArena::~RowArena() { Release(); }

RowArena::RowArena(RowArena&& other) noexcept
    : stride_(other.stride_),
      next_(std::exchange(other.next_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      chunks_(std::move(other.chunks_)),
      free_(std::move(other.free_)) {
  other.chunks_.clear();
  other.free_.clear();
}

RowArena& RowArena::operator=(RowArena&& other) noexcept {
  if (this == &other) return *this;
  Release();
  stride_ = other.stride_;
  next_ = std::exchange(other.next_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  chunks_ = std::move(other.chunks_);
  free_ = std::move(other.free_);
  other.chunks_.clear();
  other.free_.clear();
  return *this;
}

void RowArena::Release() {
  for (const Chunk& chunk : chunks_) {
    if (chunk.mapped) {
      munmap(chunk.base, chunk.bytes);
    } else {
      std::free(chunk.base);
    }
  }
  chunks_.clear();
}

RowArena::Chunk RowArena::NewChunk(size_t bytes) {
  if (bytes < kHugePage) {
    char* data = static_cast<char*>(std::calloc(1, bytes));
    if (data == nullptr) throw std::bad_alloc();
    return {data, data, bytes, false};
  }
  const size_t padded = bytes + kHugePage;
  void* base = mmap(nullptr, padded, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<uintptr_t>(base);
  char* data = reinterpret_cast<char*>((address + kHugePage - 1) & ~(kHugePage - 1));
#ifdef MADV_HUGEPAGE
  madvise(data, bytes, MADV_HUGEPAGE);  // a hint: without it the table works, slower
#endif
  return {data, static_cast<char*>(base), padded, true};
}

uint32_t RowArena::Allocate() {
  if (!free_.empty()) {
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  if (next_ == capacity_) {
    const uint64_t rows = uint64_t{kFirstChunk} << chunks_.size();
    // The top of the 32-bit range marks empty places in the index.
    if (capacity_ + rows >= 0xffffffffULL) throw std::bad_alloc();
    chunks_.reserve(chunks_.size() + 1);
    chunks_.push_back(NewChunk(rows * stride_));
    capacity_ += rows;
  }
  return next_++;
}

size_t RowArena::reserved_bytes() const {
  size_t bytes = 0;
  for (const Chunk& chunk : chunks_) bytes += chunk.bytes;
  return bytes;
}

}  // namespace recs
