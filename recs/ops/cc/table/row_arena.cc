#include "table/row_arena.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace recs {
namespace {

// Large enough that the list of slabs stays in the caches, small enough that 64 shards that each
// begin a new one in the same step touch few fresh pages.
constexpr size_t kSlabBytes = size_t{128} << 10;

}  // namespace

RowArena::RowArena(size_t stride, size_t prefix, std::shared_ptr<SlabPool> pool)
    : stride_(stride), prefix_(prefix), pool_(std::move(pool)) {
  slab_bits_ = kFirstBit;
  while ((stride_ << slab_bits_) < kSlabBytes) ++slab_bits_;
  slab_rows_ = uint64_t{1} << slab_bits_;
  growing_ = slab_bits_ - kFirstBit;
}

RowArena::~RowArena() { Release(); }

RowArena::RowArena(RowArena&& other) noexcept
    : stride_(other.stride_),
      prefix_(other.prefix_),
      pool_(other.pool_),
      slab_bits_(other.slab_bits_),
      slab_rows_(other.slab_rows_),
      growing_(other.growing_),
      next_(std::exchange(other.next_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      slabs_(std::move(other.slabs_)),
      free_(std::move(other.free_)) {
  other.slabs_.clear();
  other.free_.clear();
}

RowArena& RowArena::operator=(RowArena&& other) noexcept {
  if (this == &other) return *this;
  Release();
  stride_ = other.stride_;
  prefix_ = other.prefix_;
  pool_ = other.pool_;
  slab_bits_ = other.slab_bits_;
  slab_rows_ = other.slab_rows_;
  growing_ = other.growing_;
  next_ = std::exchange(other.next_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  slabs_ = std::move(other.slabs_);
  free_ = std::move(other.free_);
  other.slabs_.clear();
  other.free_.clear();
  return *this;
}

void RowArena::Release() {
  // Those of the final size are the pool's.
  const size_t own = std::min(slabs_.size(), static_cast<size_t>(growing_));
  for (size_t slab = 0; slab < own; ++slab) std::free(slabs_[slab] - prefix_);
  slabs_.clear();
}

char* RowArena::NewSlab(size_t slab) const {
  if (slab >= static_cast<size_t>(growing_)) return pool_->Allocate(slab_rows_ * stride_);
  void* memory = std::calloc(kFirstSlab << slab, stride_);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

uint32_t RowArena::Allocate() {
  if (!free_.empty()) {
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  if (next_ == capacity_) AddSlab();
  return next_++;
}

void RowArena::AddSlab() {
  const size_t slab = slabs_.size();
  const uint64_t rows = std::min(kFirstSlab << std::min<size_t>(slab, 32), slab_rows_);
  // The top of the 32-bit range marks empty places in the index.
  if (capacity_ + rows >= 0xffffffffULL) throw std::bad_alloc();
  if (slab == slabs_.capacity()) slabs_.reserve(2 * slab + 8);
  slabs_.push_back(NewSlab(slab) + prefix_);
  capacity_ += rows;
}

void RowArena::Reserve(uint64_t rows) {
  while (capacity_ - next_ + free_.size() < rows) AddSlab();
}

}  // namespace recs
