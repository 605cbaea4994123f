// Which unknown keys of a training look-up are given a row.
//
// A filter belongs to one shard and is guarded by its lock, so what it decides depends on the keys
// of the shard and their order alone, whatever the number of threads. It is asked about keys that
// have no row, never about others, and only by training look-ups.
#ifndef RECS_TABLE_ADMISSION_H_
#define RECS_TABLE_ADMISSION_H_

#include <array>
#include <cstdint>
#include <memory>

#include "table/block.h"
#include "table/item_scan.h"
#include "table/shard.h"
#include "table/status.h"

namespace recs {

enum class AdmissionKind : uint32_t {
  kEverything = 0,
  kMinimumCount = 1,
  kCountingBloom = 2,
  kProbability = 3,
};

struct AdmissionOptions {
  AdmissionKind kind = AdmissionKind::kEverything;
  uint32_t count = 0;                // occurrences that a key needs (minimum count, Bloom)
  int64_t capacity = 0;              // keys that the Bloom filter is made for
  double false_positive_rate = 0.0;  // of the Bloom filter when it has counted as many keys
  double probability = 1.0;          // that one occurrence admits a key
};

// What is wrong with the options, or nothing.
Status CheckAdmission(const AdmissionOptions& options);

// What two filters must have in common for one to take over the other's state.
struct FilterShape {
  AdmissionKind kind = AdmissionKind::kEverything;
  uint32_t counter_bytes = 0;  // of a Bloom filter, as the rest
  uint32_t hashes = 0;
  uint64_t counters = 0;  // a shard
  bool operator==(const FilterShape& other) const {
    return kind == other.kind && counter_bytes == other.counter_bytes && hashes == other.hashes &&
           counters == other.counters;
  }
};

class Filter {
 public:
  virtual ~Filter() = default;
  virtual FilterShape shape() const = 0;
  // Keys that it remembers one by one.
  virtual int64_t waiting() const { return 0; }
  // Those that it forgot to keep to a bound.
  virtual int64_t dropped() const { return 0; }
  virtual uint64_t bytes() const { return 0; }

  // Forgets keys that it remembers one by one until no more than these, and no more than their
  // bytes, are left; 0 for any number. The same bound holds from then on.
  virtual void Bound(int64_t /*keys*/, int64_t /*bytes*/) {}

  // Whether there is a state to save.
  virtual bool counted() const { return waiting() > 0; }
  // The state, for snapshots, as numbered items: entries, or runs of counters.
  virtual uint32_t items() const { return 0; }
  // Appends an item; `shard` is the filter's. False when there is none of this number.
  virtual bool PutItem(uint32_t /*item*/, int /*shard*/, BlockWriter& /*block*/) const {
    return false;
  }

  ItemScan* scan = nullptr;  // of a save that is under way

 protected:
  void BeforeChange(uint32_t item) {
    if (scan != nullptr) scan->BeforeChange(item);
  }
};

template <class K>
class KeyFilter : public Filter {
 public:
  // Counts `occurrences` of a key without a row in a look-up of this step. True when the key is to
  // be given one; `*before` is then how often it was counted before. Throws std::bad_alloc and has
  // not counted then.
  virtual bool Admit(K key, uint64_t hash, uint32_t occurrences, int64_t step,
                     uint32_t* before) = 0;
  // The key was given a row, or is to be forgotten. Cannot fail after Admit said true.
  virtual void Forget(K /*key*/, uint64_t /*hash*/) {}

  // To restore a state: counters from the number `first` of the shard on. They are from a filter of
  // this shape.
  virtual void RestoreCounters(uint64_t /*first*/, uint64_t /*count*/, const char* /*counters*/) {}
  // Adds a key with its count, which must not be there yet; false when it is.
  virtual bool Restore(K /*key*/, uint64_t /*hash*/, uint32_t /*count*/) { return true; }
};

// One filter for each shard, or nulls when everything is admitted.
template <class K>
using Filters = std::array<std::unique_ptr<KeyFilter<K>>, kShards>;
template <class K>
Filters<K> MakeFilters(const AdmissionOptions& options, uint64_t seed);

// Whether a key passes that occurs so often in a look-up, when each occurrence passes with
// probability p: a function of seed, key and step.
bool PassesByChance(uint64_t hash, uint64_t seed, int64_t step, uint32_t occurrences, double p);

}  // namespace recs

#endif  // RECS_TABLE_ADMISSION_H_
