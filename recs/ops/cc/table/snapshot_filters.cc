#include "table/snapshot_filters.h"

#include <algorithm>
#include <string_view>

#include "table/hash.h"
#include "table/snapshot_format.h"

namespace recs {
namespace {

bool GetShape(BlockReader& block, FilterShape* shape, uint64_t* total) {
  uint32_t kind;
  if (!block.Get(&kind)) return false;
  shape->kind = static_cast<AdmissionKind>(kind);
  if (shape->kind == AdmissionKind::kMinimumCount) return block.Get(total);
  if (shape->kind != AdmissionKind::kCountingBloom) return false;
  if (!block.Get(&shape->counter_bytes) || !block.Get(&shape->hashes) ||
      !block.Get(&shape->counters)) {
    return false;
  }
  if (shape->counter_bytes != 1 && shape->counter_bytes != 2) return false;
  if (shape->counters == 0 || shape->counters > 0xffffffffu) return false;
  *total = shape->counters * kShards;
  return true;
}

}  // namespace

BlockWriter EmptyFilterBlock(const FilterShape& shape, uint64_t waiting) {
  BlockWriter block(kFilterBlock);
  block.Put(static_cast<uint32_t>(shape.kind));
  if (shape.kind == AdmissionKind::kMinimumCount) {
    block.Put(waiting);
  } else {
    block.Put(shape.counter_bytes);
    block.Put(shape.hashes);
    block.Put(shape.counters);
  }
  return block;
}

template <class K>
bool FilterLoader<K>::Add(BlockReader& block, bool* repeated) {
  FilterShape shape;
  uint64_t total = 0;
  if (!GetShape(block, &shape, &total)) return false;
  if (any_ && (!(shape == shape_) || total != total_)) return false;
  any_ = true;
  shape_ = shape;
  total_ = total;
  return shape.kind == AdmissionKind::kMinimumCount ? AddKeys(block, repeated)
                                                    : AddCounters(block);
}

template <class K>
bool FilterLoader<K>::AddKeys(BlockReader& block, bool* repeated) {
  const bool wanted = filters_[0] != nullptr && filters_[0]->shape() == shape_;
  while (!block.empty()) {
    K key;
    uint32_t count;
    if (!GetKey(block, &key) || !block.Get(&count) || ++seen_ > total_) return false;
    if (!wanted) continue;
    const uint64_t hash = HashKey(key);
    *repeated = !filters_[ShardOf(hash)]->Restore(key, hash, count);
    if (*repeated) return false;
  }
  return true;
}

template <class K>
bool FilterLoader<K>::AddCounters(BlockReader& block) {
  const bool wanted = filters_[0] != nullptr && filters_[0]->shape() == shape_;
  const uint64_t width = shape_.counter_bytes;
  const uint64_t a_shard = shape_.counters;
  while (!block.empty()) {
    uint64_t first, count;
    if (!block.Get(&first) || !block.Get(&count) || count == 0 || first >= total_ ||
        count > total_ - first || block.size() / width < count) {
      return false;
    }
    runs_.emplace_back(first, first + count);
    for (uint64_t at = first, end = first + count; at < end;) {
      const uint64_t some = std::min(end - at, a_shard - at % a_shard);
      if (wanted) {
        filters_[at / a_shard]->RestoreCounters(at % a_shard, some, block.data());
      }
      block.Skip(some * width);
      at += some;
    }
  }
  return true;
}

template <class K>
bool FilterLoader<K>::Complete() {
  if (!any_) return true;
  if (shape_.kind == AdmissionKind::kMinimumCount) return seen_ == total_;
  std::sort(runs_.begin(), runs_.end());
  uint64_t next = 0;
  for (const auto& [first, end] : runs_) {
    if (first != next) return false;
    next = end;
  }
  return next == total_;
}

template class FilterLoader<int64_t>;
template class FilterLoader<std::string_view>;

}  // namespace recs
