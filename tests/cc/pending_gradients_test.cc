#include "table/pending_gradients.h"

#include <map>

#include "support.h"

namespace recs::testing {
namespace {

RowGradients Entry(std::vector<int64_t> rows, std::vector<float> sums) {
  RowGradients entry;
  entry.rows = std::move(rows);
  entry.sums = std::move(sums);
  return entry;
}

TEST(ForwardAfterBackwardDiscards) {
  PendingGradients pending;
  pending.BeginForward();
  CHECK_EQ(pending.discarded_passes(), 0);
  pending.Add(Entry({1}, {1.0f}));
  pending.Add(Entry({2}, {1.0f}));
  pending.BeginForward();
  CHECK_EQ(pending.discarded_passes(), 2);
  CHECK(pending.Take(1.0f).empty());
}

TEST(HeldGradientsSurviveForwardsAndKeepTheirScales) {
  PendingGradients pending;
  pending.Add(Entry({1}, {1.0f}));
  pending.Hold(0.5f);
  pending.BeginForward();
  pending.Add(Entry({2}, {1.0f}));
  pending.Hold(0.25f);
  CHECK_EQ(pending.held_applies(), 2);
  pending.Add(Entry({3}, {1.0f}));
  const auto taken = pending.Take(2.0f);
  CHECK_EQ(taken.size(), 3u);
  CHECK_EQ(taken[0].scale, 0.5f);
  CHECK_EQ(taken[1].scale, 0.25f);
  CHECK_EQ(taken[2].scale, 2.0f);
  CHECK_EQ(pending.held_applies(), 0);
  CHECK_EQ(pending.discarded_passes(), 0);
  CHECK(pending.Take(1.0f).empty());
}

TEST(ClearForgetsEverything) {
  PendingGradients pending;
  pending.Add(Entry({1}, {1.0f}));
  pending.Hold(1.0f);
  pending.Add(Entry({1}, {1.0f}));
  pending.Clear();
  CHECK_EQ(pending.held_applies(), 0);
  CHECK(pending.Take(1.0f).empty());
}

TEST(BuffersAreUsedAgainWithoutTheirScale) {
  PendingGradients pending;
  pending.Add(Entry({1}, std::vector<float>(1000)));
  auto taken = pending.Take(0.5f);
  const float* data = taken[0].sums.data();
  pending.Recycle(std::move(taken));
  const RowGradients buffer = pending.Reuse();
  CHECK_EQ(buffer.sums.data(), data);
  CHECK_EQ(buffer.scale, 1.0f);
}

TEST(MergeAddsEqualRowsInTheOrderOfEntries) {
  constexpr int kDim = 3;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    note = "seed " + Show(seed);
    Random random(seed);
    std::vector<RowGradients> entries(random.Below(5));
    std::map<int64_t, std::vector<float>> expected;
    for (RowGradients& entry : entries) {
      entry.scale = random.Unit();
      for (int s = 0; s < kShards; ++s) {
        for (uint32_t number = 0; number < 20; ++number) {
          if (random.Below(3) > 0) continue;
          entry.rows.push_back(RowHandle::Make(s, s + number, number));
          auto& sum = expected.try_emplace(entry.rows.back(), kDim, 0.0f).first->second;
          for (int j = 0; j < kDim; ++j) {
            entry.sums.push_back(random.Unit());
            sum[j] += entry.scale * entry.sums.back();
          }
        }
      }
    }
    for (int threads : {1, 4}) {
      ThreadExecutor executor(threads);
      const RowGradients merged = Merge(entries, kDim, executor);
      CHECK_EQ(merged.scale, 1.0f);
      CHECK_EQ(merged.rows.size(), expected.size());
      for (size_t i = 0; i < merged.rows.size(); ++i) {
        if (i > 0) CHECK(RowHandle::shard(merged.rows[i - 1]) <= RowHandle::shard(merged.rows[i]));
        const auto& sum = expected.at(merged.rows[i]);
        for (int j = 0; j < kDim; ++j) CHECK_EQ(merged.sums[i * kDim + j], sum[j]);
      }
    }
  }
}

}  // namespace
}  // namespace recs::testing
