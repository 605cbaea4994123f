// Admission by an approximate count that needs no keys: a counting Bloom filter.
//
// A key has h positions among the m counters of its shard; its count is the smallest of them.
// Counting raises only those positions that are below the new count (conservative update), so a
// count is never too low, and too high only where all positions are shared with more frequent keys.
// Over all shards, for n keys and a false-positive rate p:
//   counters = n * -ln(p) / ln(2)^2, at least 64 a shard;  h = round(log2(1 / p)), at least 1
// of one byte each, or two when the count to reach is above 255. Counters only rise and stay at
// their maximum.
#ifndef RECS_TABLE_COUNTING_BLOOM_H_
#define RECS_TABLE_COUNTING_BLOOM_H_

#include <cstdint>
#include <memory>

#include "table/admission.h"

namespace recs {

template <class K>
class CountingBloom final : public KeyFilter<K> {
 public:
  // `count`: occurrences that a key needs. `capacity`, for all shards, and the rate when as many
  // distinct keys were counted.
  CountingBloom(uint32_t count, int64_t capacity, double false_positive_rate);

  FilterShape shape() const override {
    return {AdmissionKind::kCountingBloom, wide_ ? 2u : 1u, hashes_, size_};
  }
  uint64_t bytes() const override { return size_ * (wide_ ? 2 : 1); }
  bool Admit(K key, uint64_t hash, uint32_t occurrences, int64_t step, uint32_t* before) override;
  bool counted() const override { return counted_; }
  uint32_t items() const override;
  bool PutItem(uint32_t item, int shard, BlockWriter& block) const override;
  void RestoreCounters(uint64_t first, uint64_t count, const char* counters) override;

 private:
  static constexpr int kMostHashes = 32;

  uint32_t Get(uint64_t at) const;
  void Raise(uint64_t at, uint32_t value);

  uint32_t count_;
  bool wide_;
  uint32_t hashes_;
  uint64_t size_;
  bool counted_ = false;
  struct Release {
    void operator()(char* counters) const;
  };
  std::unique_ptr<char, Release> counters_;
};

}  // namespace recs

#endif  // RECS_TABLE_COUNTING_BLOOM_H_
