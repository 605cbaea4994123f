// What admission has counted, as blocks of a snapshot.
//
// A table takes over the state of a filter of its own shape: exact counts for any minimum, counters
// of a Bloom filter of equally many positions and counters of the same width. Anything else is
// checked like every block and then left out: the rows count, and the filter begins anew.
#ifndef RECS_TABLE_SNAPSHOT_FILTERS_H_
#define RECS_TABLE_SNAPSHOT_FILTERS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "table/admission.h"
#include "table/block.h"

namespace recs {

// How each block of such a filter's items begins; `waiting` keys are in all blocks together.
BlockWriter EmptyFilterBlock(const FilterShape& shape, uint64_t waiting);

// Reads the blocks of a snapshot into filters of their shape, and checks them in any case.
template <class K>
class FilterLoader {
 public:
  explicit FilterLoader(const Filters<K>& filters) : filters_(filters) {}
  // A block, from behind its kind. False when it is no filter's; `*repeated` tells of a key that is
  // there twice.
  bool Add(BlockReader& block, bool* repeated);
  // Whether all blocks were there. To be called once, after the last one.
  bool Complete();

 private:
  bool AddKeys(BlockReader& block, bool* repeated);
  bool AddCounters(BlockReader& block);

  const Filters<K>& filters_;
  FilterShape shape_;
  uint64_t total_ = 0;  // keys or counters
  uint64_t seen_ = 0;
  bool any_ = false;
  std::vector<std::pair<uint64_t, uint64_t>> runs_;  // of counters: the first, and behind the last
};

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_FILTERS_H_
