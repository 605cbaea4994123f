#include "table/pending_gradients.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "table/row_kernels.h"
#include "table/shard.h"

namespace recs {
namespace {

constexpr size_t kSpareBuffers = 8;

// Where the rows of shard s begin among handles that are grouped by shard.
int64_t ShardBegin(const std::vector<int64_t>& rows, int s) {
  const auto at = std::lower_bound(rows.begin(), rows.end(), s, [](int64_t handle, int shard) {
    return RowHandle::shard(handle) < shard;
  });
  return at - rows.begin();
}

}  // namespace

PendingGradients::PendingGradients() { spare_.reserve(kSpareBuffers); }

void PendingGradients::BeginForward() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (pending_.empty()) return;
  discarded_passes_ += static_cast<int64_t>(pending_.size());
  for (RowGradients& entry : pending_) {
    if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(entry));
  }
  pending_.clear();
}

void PendingGradients::Add(RowGradients gradients) {
  std::lock_guard<std::mutex> lock(mutex_);
  pending_.push_back(std::move(gradients));
}

void PendingGradients::HoldLocked(float scale) {
  // First, so that running out of memory leaves no entry scaled and still pending.
  held_.reserve(held_.size() + pending_.size());
  for (RowGradients& entry : pending_) {
    entry.scale *= scale;
    held_.push_back(std::move(entry));
  }
  pending_.clear();
}

void PendingGradients::Hold(float scale) {
  std::lock_guard<std::mutex> lock(mutex_);
  HoldLocked(scale);
  ++held_applies_;
}

std::vector<RowGradients> PendingGradients::Take(float scale) {
  std::lock_guard<std::mutex> lock(mutex_);
  HoldLocked(scale);
  held_applies_ = 0;
  return std::exchange(held_, {});
}

int64_t PendingGradients::held_applies() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return held_applies_;
}

void PendingGradients::Clear() {
  std::lock_guard<std::mutex> lock(mutex_);
  pending_.clear();
  held_.clear();
  held_applies_ = 0;
}

RowGradients PendingGradients::Reuse() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (spare_.empty()) return {};
  RowGradients buffer = std::move(spare_.back());
  spare_.pop_back();
  buffer.scale = 1.0f;
  return buffer;
}

void PendingGradients::Recycle(std::vector<RowGradients> used) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (RowGradients& entry : used) {
    if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(entry));
  }
}

RowGradients Merge(const std::vector<RowGradients>& entries, int dim, Executor& executor) {
  // Per shard: the distinct rows in order of first appearance, and where each entry's rows go.
  std::array<std::vector<int64_t>, kShards> rows;
  std::array<std::vector<int64_t>, kShards> target;
  ParallelForOrThrow(executor, kShards, 20000, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      std::unordered_map<int64_t, int64_t> number;
      for (const RowGradients& entry : entries) {
        const int64_t end = ShardBegin(entry.rows, static_cast<int>(s) + 1);
        for (int64_t i = ShardBegin(entry.rows, static_cast<int>(s)); i < end; ++i) {
          const auto found = number.try_emplace(entry.rows[i], rows[s].size());
          if (found.second) rows[s].push_back(entry.rows[i]);
          target[s].push_back(found.first->second);
        }
      }
    }
  });
  std::array<int64_t, kShards + 1> begin{};
  for (int s = 0; s < kShards; ++s) begin[s + 1] = begin[s] + static_cast<int64_t>(rows[s].size());
  RowGradients merged;
  merged.rows.resize(begin[kShards]);
  merged.sums.assign(begin[kShards] * dim, 0.0f);
  executor.ParallelFor(kShards, 20000, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      std::copy(rows[s].begin(), rows[s].end(), merged.rows.begin() + begin[s]);
      size_t next = 0;
      for (const RowGradients& entry : entries) {
        const int64_t end = ShardBegin(entry.rows, static_cast<int>(s) + 1);
        for (int64_t i = ShardBegin(entry.rows, static_cast<int>(s)); i < end; ++i) {
          float* sum = merged.sums.data() + (begin[s] + target[s][next++]) * dim;
          AddScaledRow(entry.sums.data() + i * dim, entry.scale, sum, dim);
        }
      }
    }
  });
  return merged;
}

}  // namespace recs
