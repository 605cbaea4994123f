#include "table/zeroed_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace recs {

ZeroedMemory::ZeroedMemory(size_t bytes) : bytes_(bytes) {
  if (bytes < kHugePage / 2) {
    base_ = std::calloc(bytes, 1);
    if (base_ == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(base_);
    return;
  }
  const size_t pages = (bytes + kHugePage - 1) & ~(kHugePage - 1);
  mapped_ = pages + kHugePage;
  base_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base_ == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<uintptr_t>(base_);
  data_ = reinterpret_cast<char*>((address + kHugePage - 1) & ~(kHugePage - 1));
#ifdef MADV_HUGEPAGE
  madvise(data_, pages, MADV_HUGEPAGE);  // a hint: without it everything works, slower
#endif
}

ZeroedMemory::~ZeroedMemory() {
  if (mapped_ > 0) {
    munmap(base_, mapped_);
  } else {
    std::free(base_);
  }
}

ZeroedMemory::ZeroedMemory(ZeroedMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      mapped_(std::exchange(other.mapped_, 0)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

ZeroedMemory& ZeroedMemory::operator=(ZeroedMemory&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace recs
