// The gradients of a step, between the backward pass and the optimizer's apply.
//
// A backward pass adds one entry a look-up. Apply takes all of them at once. A pass that is
// followed by another forward pass without an apply between (a step that a loss scale skipped, a
// gradient that was only looked at) is discarded and counted. With gradient accumulation, an apply
// that does not update yet keeps the entries for the one that does.
//
// Thread-safe.
#ifndef RECS_TABLE_PENDING_GRADIENTS_H_
#define RECS_TABLE_PENDING_GRADIENTS_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "table/executor.h"

namespace recs {

// Sums by row, as one look-up's backward pass gives them; rows are in the order of their shards.
struct RowGradients {
  std::vector<int64_t> rows;  // (m) handles
  std::vector<float> sums;    // (m, dim)
  float scale = 1.0f;         // what the sums are still to be multiplied by
};

class PendingGradients {
 public:
  PendingGradients();

  // A forward pass of training begins.
  void BeginForward();
  // A backward pass of one look-up ends.
  void Add(RowGradients gradients);

  // An apply without an update: keeps what is pending, `scale`d, for a later Take.
  void Hold(float scale);
  // An apply with an update: everything held and pending, the pending part `scale`d.
  std::vector<RowGradients> Take(float scale);
  // How many times Hold was called since the last Take.
  int64_t held_applies() const;
  // Forgets everything.
  void Clear();

  // A buffer of an earlier step, so that its pages need not be asked for again; contents are
  // unspecified. Recycle gives one back.
  RowGradients Reuse();
  void Recycle(std::vector<RowGradients> used);

  int64_t discarded_passes() const { return discarded_passes_; }

 private:
  void HoldLocked(float scale);

  mutable std::mutex mutex_;
  std::vector<RowGradients> pending_;
  std::vector<RowGradients> held_;
  std::vector<RowGradients> spare_;
  int64_t held_applies_ = 0;
  std::atomic<int64_t> discarded_passes_{0};
};

// One entry with every row once, from several. Sums of equal rows are added in the order of the
// entries, after scaling; rows stay grouped by shard.
RowGradients Merge(const std::vector<RowGradients>& entries, int dim, Executor& executor);

}  // namespace recs

#endif  // RECS_TABLE_PENDING_GRADIENTS_H_
