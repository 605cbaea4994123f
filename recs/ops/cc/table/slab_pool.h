// Large pieces of zeroed memory for the shards of one table, cut one after another from regions of
// the operating system.
//
// Shards fill at the same pace. If each had regions of its own, all of them would come to fresh
// huge pages in the same step and stall it by 64 times two megabytes to be zeroed; cut from shared
// regions, a step touches just the pages that its new rows need. A piece is never given back alone:
// the pool frees everything when its last arena is gone.
//
// Thread-safe.
#ifndef RECS_TABLE_SLAB_POOL_H_
#define RECS_TABLE_SLAB_POOL_H_

#include <cstddef>
#include <mutex>
#include <vector>

#include "table/zeroed_memory.h"

namespace recs {

class SlabPool {
 public:
  // `bytes` (a multiple of 8) of zeros. Throws std::bad_alloc and leaves the pool as it was.
  char* Allocate(size_t bytes);

 private:
  std::mutex mutex_;
  std::vector<ZeroedMemory> regions_;
  char* next_ = nullptr;  // the rest of the newest region
  size_t left_ = 0;
};

}  // namespace recs

#endif  // RECS_TABLE_SLAB_POOL_H_
