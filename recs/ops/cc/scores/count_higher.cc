#include "scores/count_higher.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "scores/packing.h"

namespace recs::scores {
namespace {

// Candidates that are packed at once, 16 MB at dimension 64.
constexpr int64_t kTilesAtOnce = 1024;
constexpr int64_t kRows = 16 * kRowGroup;

// What one thread needs for a block of rows.
struct Block {
  explicit Block(const CountProblem& problem)
      : width(RoundUp(std::max<int64_t>(problem.dim, 1), kDimGroup)),
        queries(kRows * width),
        limits(kRows * problem.limits_of_row),
        at_most(kRows * problem.limits_of_row),
        scores(kRows * kTile) {}

  int64_t width;
  std::vector<float> queries, limits;
  std::vector<int64_t> at_most;
  std::vector<float> scores;
};

// Some tiles of candidates, packed.
struct Tiles {
  int64_t first = 0, count = 0;
  std::vector<float> packed;
};

void Pack(const CountProblem& problem, Executor& executor, Tiles* tiles) {
  executor.ParallelFor(tiles->count, kTile * problem.dim, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = (tiles->first + tile) * kTile;
      PackTile(problem.candidates + first * problem.dim,
               std::min(kTile, problem.columns - first), problem.dim,
               &tiles->packed[tile * kTile * problem.dim]);
    }
  });
}

// Takes from the counts of some rows what is at most their limits.
void TakeAtMost(const CountProblem& problem, const TileKernels& kernels, const Tiles& tiles,
                int64_t first, Block& block, int64_t* counts) {
  const int64_t count = std::min(kRows, problem.rows - first);
  const int64_t rows = RoundUp(count, kRowGroup), each = problem.limits_of_row;
  std::fill(block.at_most.begin(), block.at_most.end(), 0);
  for (int64_t r = 0; r < count; ++r) {
    const float* query = problem.queries + (first + r) * problem.dim;
    std::copy(query, query + problem.dim, &block.queries[r * block.width]);
  }
  std::copy_n(problem.limits + first * each, count * each, block.limits.begin());
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    kernels.scores(block.queries.data(), rows, block.width, problem.dim,
                   &tiles.packed[tile * kTile * problem.dim], nullptr, block.scores.data());
    const int64_t there = std::min(kTile, problem.columns - (tiles.first + tile) * kTile);
    for (int64_t r = 0; there < kTile && r < rows; ++r) {
      // Past the last candidate: at most nothing.
      std::fill(&block.scores[r * kTile + there], block.scores.data() + (r + 1) * kTile,
                std::numeric_limits<float>::quiet_NaN());
    }
    kernels.count_at_most(block.scores.data(), count, block.limits.data(), each,
                          block.at_most.data());
  }
  for (int64_t i = 0; i < count * each; ++i) counts[first * each + i] -= block.at_most[i];
}

}  // namespace

void CountHigher(const CountProblem& problem, const TileKernels& kernels, Executor& executor,
                 int64_t* counts) {
  std::fill_n(counts, problem.rows * problem.limits_of_row, problem.columns);
  const int64_t all = RoundUp(problem.columns, kTile) / kTile;
  const int64_t blocks = RoundUp(problem.rows, kRows) / kRows;
  Tiles tiles;
  tiles.packed.resize(std::min(all, kTilesAtOnce) * kTile * problem.dim);
  for (; tiles.first < all; tiles.first += kTilesAtOnce) {
    tiles.count = std::min(kTilesAtOnce, all - tiles.first);
    Pack(problem, executor, &tiles);
    const int64_t cost = kRows * tiles.count * kTile * problem.dim / 16;
    ParallelForOrThrow(executor, blocks, cost, [&](int64_t begin, int64_t end) {
      Block block(problem);
      for (int64_t b = begin; b < end; ++b) {
        TakeAtMost(problem, kernels, tiles, b * kRows, block, counts);
      }
    });
  }
}

}  // namespace recs::scores
