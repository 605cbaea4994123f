#include "table/counting_bloom.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "table/copy_bytes.h"
#include "table/hash.h"
#include "table/shard.h"

namespace recs {
namespace {

constexpr uint64_t kRun = 4096;  // counters that are saved together

uint64_t CountersOfShard(int64_t capacity, double rate) {
  const double all = std::ceil(static_cast<double>(capacity) * -std::log(rate) / (M_LN2 * M_LN2));
  return std::max<uint64_t>(64, (static_cast<uint64_t>(all) + kShards - 1) / kShards);
}

}  // namespace

template <class K>
void CountingBloom<K>::Release::operator()(char* counters) const {
  std::free(counters);
}

template <class K>
CountingBloom<K>::CountingBloom(uint32_t count, int64_t capacity, double rate)
    : count_(count),
      wide_(count > 0xffu),
      hashes_(static_cast<uint32_t>(
          std::clamp(std::round(-std::log2(rate)), 1.0, double{kMostHashes}))),
      size_(CountersOfShard(capacity, rate)),
      // From calloc: pages that are never counted in cost nothing.
      counters_(static_cast<char*>(std::calloc(size_, wide_ ? 2 : 1))) {
  if (counters_ == nullptr) throw std::bad_alloc();
}

template <class K>
uint32_t CountingBloom<K>::Get(uint64_t at) const {
  if (!wide_) return static_cast<unsigned char>(counters_.get()[at]);
  uint16_t value;
  std::memcpy(&value, counters_.get() + 2 * at, 2);
  return value;
}

template <class K>
void CountingBloom<K>::Raise(uint64_t at, uint32_t value) {
  if (Get(at) >= value) return;
  this->BeforeChange(static_cast<uint32_t>(at / kRun));
  counted_ = true;
  if (!wide_) {
    counters_.get()[at] = static_cast<char>(value);
  } else {
    const auto narrow = static_cast<uint16_t>(value);
    std::memcpy(counters_.get() + 2 * at, &narrow, 2);
  }
}

template <class K>
bool CountingBloom<K>::Admit(K /*key*/, uint64_t hash, uint32_t occurrences, int64_t /*step*/,
                             uint32_t* before) {
  const uint32_t most = wide_ ? 0xffffu : 0xffu;
  uint64_t positions[kMostHashes];
  for (uint32_t i = 0; i < hashes_; ++i) {
    // Words of their own: the key's hash has its shard in its upper bits.
    positions[i] = (Mix(hash + (i + 1) * 0x9e3779b97f4a7c15ULL) >> 32) * size_ >> 32;
    __builtin_prefetch(counters_.get() + positions[i] * (wide_ ? 2 : 1));
  }
  uint32_t seen = most;
  for (uint32_t i = 0; i < hashes_; ++i) seen = std::min(seen, Get(positions[i]));
  const uint32_t now = occurrences < most - seen ? seen + occurrences : most;
  for (uint32_t i = 0; i < hashes_; ++i) Raise(positions[i], now);
  // A key that had enough before this look-up was admitted once and evicted, or shares all its
  // positions: either way its row counts from zero.
  *before = seen < count_ ? seen : 0;
  return now >= count_;
}

template <class K>
uint32_t CountingBloom<K>::items() const {
  return static_cast<uint32_t>((size_ + kRun - 1) / kRun);
}

template <class K>
bool CountingBloom<K>::PutItem(uint32_t item, int shard, BlockWriter& block) const {
  const uint64_t first = item * kRun;
  const uint64_t count = std::min(kRun, size_ - first);
  const uint64_t width = wide_ ? 2 : 1;
  block.Put(shard * size_ + first);
  block.Put(count);
  block.PutBytes(counters_.get() + first * width, count * width);
  return true;
}

template <class K>
void CountingBloom<K>::RestoreCounters(uint64_t first, uint64_t count, const char* counters) {
  const uint64_t width = wide_ ? 2 : 1;
  CopyBytes(counters_.get() + first * width, counters, count * width);
  counted_ = true;
}

template class CountingBloom<int64_t>;
template class CountingBloom<std::string_view>;

}  // namespace recs
