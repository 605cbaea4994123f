#include "table/slab_pool.h"

#include <algorithm>

namespace recs {
namespace {

// Address space, of which untouched pages cost nothing.
constexpr size_t kSmallestRegion = 8 * ZeroedMemory::kHugePage;
constexpr size_t kLargestRegion = 128 * ZeroedMemory::kHugePage;

}  // namespace

char* SlabPool::Allocate(size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (left_ < bytes) {
    const size_t doubled = kSmallestRegion << std::min<size_t>(regions_.size(), 4);
    regions_.reserve(regions_.size() + 1);
    regions_.emplace_back(std::max(std::min(doubled, kLargestRegion), bytes));
    next_ = regions_.back().data();
    left_ = regions_.back().bytes();
  }
  char* slab = next_;
  next_ += bytes;
  left_ -= bytes;
  return slab;
}

}  // namespace recs
