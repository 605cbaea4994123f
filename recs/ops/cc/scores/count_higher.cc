#include "scores/count_higher.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "scores/packing.h"

namespace recs::scores {
namespace {

// Candidates that are packed at once, 16 MB at dimension 64.
constexpr int64_t kTilesAtOnce = 1024;
constexpr int64_t kRows = 16 * kRowGroup;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// In one order for every pair of vectors.
double Dot(const float* x, const float* y, int64_t dim) {
  constexpr int kLanes = 8;
  double sums[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
    for (int l = 0; l < kLanes; ++l) sums[l] += double{x[k + l]} * double{y[k + l]};
  }
  for (int l = 0; k + l < dim; ++l) sums[l] += double{x[k + l]} * double{y[k + l]};
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

double Norm(const float* vector, int64_t dim) { return std::sqrt(Dot(vector, vector, dim)); }

// What a score in float32 may be off by, over the product of the norms: each of its products and
// sums errs by at most half a unit in the last place. A little more, for second-order terms.
double Rounding(int64_t dim) { return 1.01 * static_cast<double>(dim + 2) * 0x1p-24; }

// The largest float32 that is at most `value`, and the smallest that is at least `value`.
float RoundedDown(double value) {
  if (value > std::numeric_limits<float>::max()) return std::numeric_limits<float>::max();
  if (value < -double{std::numeric_limits<float>::max()}) return -kInfinity;
  const auto near = static_cast<float>(value);
  return double{near} > value ? std::nextafter(near, -kInfinity) : near;
}
float RoundedUp(double value) { return -RoundedDown(-value); }

// What one thread needs for a block of rows.
struct CountedBlock {
  explicit CountedBlock(const CountProblem& problem)
      : width(RoundUp(std::max<int64_t>(problem.dim, 1), kDimGroup)),
        queries(kRows * width),
        norms(kRows),
        bounds(2 * kRows * problem.limits_of_row),
        at_most(2 * kRows * problem.limits_of_row),
        scores(kRows * kTile) {}

  int64_t width;
  std::vector<float> queries;
  std::vector<double> norms;
  // Of each limit one score that is surely at most it, and one that is surely not.
  std::vector<float> bounds;
  std::vector<int64_t> at_most;  // of `bounds`
  std::vector<float> scores;
};

// Some tiles of candidates, packed.
struct Tiles {
  int64_t first = 0, count = 0;
  std::vector<float> packed;
  std::vector<double> longest;  // norm of each tile's candidates, those with NaN left out
};

void Pack(const CountProblem& problem, Executor& executor, Tiles* tiles) {
  executor.ParallelFor(tiles->count, kTile * problem.dim, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = (tiles->first + tile) * kTile;
      const int64_t count = std::min(kTile, problem.columns - first);
      const float* candidates = problem.candidates + first * problem.dim;
      PackTile(candidates, count, problem.dim, &tiles->packed[tile * kTile * problem.dim]);
      double longest = 0;
      for (int64_t c = 0; c < count; ++c) {
        longest = std::max(longest, Norm(candidates + c * problem.dim, problem.dim));
      }
      tiles->longest[tile] = longest;
    }
  });
}

void Bound(const CountProblem& problem, int64_t first, int64_t count, double longest,
           CountedBlock* block) {
  // Numbers too small for float32 may be taken for zero.
  const double tiny = static_cast<double>(problem.dim) * 0x1p-125;
  for (int64_t i = 0; i < count * problem.limits_of_row; ++i) {
    const double limit = problem.limits[first * problem.limits_of_row + i];
    const double error =
        Rounding(problem.dim) * block->norms[i / problem.limits_of_row] * longest + tiny;
    const bool bounded = error <= std::numeric_limits<float>::max();
    block->bounds[2 * i] = bounded ? RoundedDown(limit - error) : kNan;
    block->bounds[2 * i + 1] = bounded ? RoundedUp(limit + error) : kInfinity;
  }
}

// How many of a row's scores within the bounds of a limit are at most the limit.
int64_t AtMostBetween(const CountProblem& problem, const float* query, const float* scores,
                      int64_t first_column, const float* bounds, double limit) {
  const int64_t there = std::min(kTile, problem.columns - first_column);
  int64_t count = 0;
  for (int64_t c = 0; c < there; ++c) {
    if (scores[c] <= bounds[0] || !(scores[c] <= bounds[1])) continue;
    const float* candidate = problem.candidates + (first_column + c) * problem.dim;
    count += Dot(query, candidate, problem.dim) <= limit;
  }
  return count;
}

void TakeAtMost(const CountProblem& problem, const TileKernels& kernels, const Tiles& tiles,
                int64_t first, CountedBlock& block, int64_t* counts) {
  const int64_t count = std::min(kRows, problem.rows - first);
  const int64_t rows = RoundUp(count, kRowGroup), each = problem.limits_of_row;
  for (int64_t r = 0; r < count; ++r) {
    const float* query = problem.queries + (first + r) * problem.dim;
    std::copy(query, query + problem.dim, &block.queries[r * block.width]);
    block.norms[r] = Norm(query, problem.dim);
  }
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    kernels.scores(block.queries.data(), rows, block.width, problem.dim,
                   &tiles.packed[tile * kTile * problem.dim], nullptr, block.scores.data());
    const int64_t first_column = (tiles.first + tile) * kTile;
    const int64_t there = std::min(kTile, problem.columns - first_column);
    for (int64_t r = 0; there < kTile && r < rows; ++r) {
      // Past the last candidate: at most nothing.
      std::fill(&block.scores[r * kTile + there], block.scores.data() + (r + 1) * kTile, kNan);
    }
    Bound(problem, first, count, tiles.longest[tile], &block);
    std::fill(block.at_most.begin(), block.at_most.end(), 0);
    kernels.count_at_most(block.scores.data(), count, block.bounds.data(), 2 * each,
                          block.at_most.data());
    for (int64_t i = 0; i < count * each; ++i) {
      const int64_t surely = block.at_most[2 * i], perhaps = block.at_most[2 * i + 1];
      counts[first * each + i] -= surely;
      if (surely == perhaps) continue;
      const int64_t row = first + i / each;
      counts[first * each + i] -= AtMostBetween(
          problem, problem.queries + row * problem.dim, &block.scores[i / each * kTile],
          first_column, &block.bounds[2 * i], problem.limits[first * each + i]);
    }
  }
}

}  // namespace

void CountHigher(const CountProblem& problem, const TileKernels& kernels, Executor& executor,
                 int64_t* counts) {
  std::fill_n(counts, problem.rows * problem.limits_of_row, problem.columns);
  const int64_t all = RoundUp(problem.columns, kTile) / kTile;
  const int64_t blocks = RoundUp(problem.rows, kRows) / kRows;
  Tiles tiles;
  tiles.packed.resize(std::min(all, kTilesAtOnce) * kTile * problem.dim);
  tiles.longest.resize(std::min(all, kTilesAtOnce));
  for (; tiles.first < all; tiles.first += kTilesAtOnce) {
    tiles.count = std::min(kTilesAtOnce, all - tiles.first);
    Pack(problem, executor, &tiles);
    const int64_t cost = kRows * tiles.count * kTile * problem.dim / 16;
    ParallelForOrThrow(executor, blocks, cost, [&](int64_t begin, int64_t end) {
      CountedBlock block(problem);
      for (int64_t b = begin; b < end; ++b) {
        TakeAtMost(problem, kernels, tiles, b * kRows, block, counts);
      }
    });
  }
}

}  // namespace recs::scores
