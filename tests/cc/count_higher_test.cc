#include "scores/count_higher.h"

#include <cmath>
#include <limits>

#include "kernels_here.h"
#include "support.h"

namespace recs::testing {
namespace {

using scores::CountProblem;

// Whole numbers, whose products are exact, so that equal scores are equal in every order of sums.
std::vector<float> Whole(Random& random, int64_t count) {
  std::vector<float> numbers(count);
  for (float& one : numbers) one = static_cast<float>(random.Below(7)) - 3;
  return numbers;
}

TEST(CountHigherAgainstALoop) {
  Random random(1);
  for (const scores::TileKernels* kernels : KernelsHere()) {
    for (int64_t dim : {1, 5, 64}) {
      for (const auto& [rows, columns] :
           {std::pair{0, 5}, std::pair{3, 0}, std::pair{7, 64}, std::pair{250, 1001},
            std::pair{2, 70000}}) {
        for (int64_t each : {1, 2}) {
          std::vector<float> queries = Whole(random, rows * dim);
          std::vector<float> candidates = Whole(random, columns * dim);
          const std::vector<float> whole = Whole(random, rows * each);
          const std::vector<double> limits(whole.begin(), whole.end());
          if (columns > 60) candidates[60 * dim] = std::numeric_limits<float>::quiet_NaN();
          std::vector<int64_t> counts(rows * each, -1);
          ThreadExecutor executor(3);
          scores::CountHigher({queries.data(), candidates.data(), rows, columns, dim, limits.data(),
                               each},
                              *kernels, executor, counts.data());
          note = std::string(kernels->name) + " dim " + Show(dim) + " columns " + Show(columns);
          for (int64_t i = 0; i < rows * each; ++i) {
            int64_t expected = 0;
            for (int64_t j = 0; j < columns; ++j) {
              float score = 0;
              for (int64_t k = 0; k < dim; ++k) {
                score += queries[i / each * dim + k] * candidates[j * dim + k];
              }
              expected += !(score <= limits[i]);
            }
            CHECK_EQ(counts[i], expected);
          }
        }
      }
    }
  }
}

// A candidate's copies tie with it wherever they stand, and float32 cannot tell most others apart.
TEST(CountHigherInDoublePrecision) {
  Random random(2);
  constexpr int64_t kRows = 9, kColumns = 300, kDim = 37;
  std::vector<float> queries(kRows * kDim), candidates(kColumns * kDim);
  for (float& one : queries) one = 1000 + random.Unit();
  for (int64_t j = 0; j < kColumns; ++j) {
    for (int64_t k = 0; k < kDim; ++k) {
      const float copied = j < 100 ? 1000 + random.Unit() : candidates[(j - 100) * kDim + k];
      candidates[j * kDim + k] = copied;
    }
  }
  std::vector<std::vector<double>> scores(kRows, std::vector<double>(kColumns));
  std::vector<double> limits;
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kColumns; ++j) {
      for (int64_t k = 0; k < kDim; ++k) {
        scores[i][j] += double{queries[i * kDim + k]} * candidates[j * kDim + k];
      }
    }
    for (double step : {1e-6, -1e-6}) limits.push_back(scores[i][7 * i] + step);
  }
  for (const scores::TileKernels* kernels : KernelsHere()) {
    std::vector<int64_t> counts(kRows * 2, -1);
    ThreadExecutor executor(2);
    scores::CountHigher({queries.data(), candidates.data(), kRows, kColumns, kDim, limits.data(), 2},
                        *kernels, executor, counts.data());
    for (int64_t i = 0; i < 2 * kRows; ++i) {
      note = std::string(kernels->name) + " limit " + Show(i);
      int64_t expected = 0;
      for (double score : scores[i / 2]) expected += score > limits[i];
      CHECK_EQ(counts[i], expected);
    }
    CHECK_EQ(counts[1] - counts[0], 3);
  }
}

TEST(CountHigherOfExtremes) {
  const float big = std::numeric_limits<float>::max();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> candidates = {big, -big, infinity, -infinity, NAN, 0, 1e-40f};
  const std::vector<float> queries = {4, 1e-30f};
  const std::vector<double> limits = {4.0 * big, -5.0 * big, 0.0, 1.5e-70};
  for (const scores::TileKernels* kernels : KernelsHere()) {
    note = kernels->name;
    std::vector<int64_t> counts(4, -1);
    ThreadExecutor executor(1);
    scores::CountHigher({queries.data(), candidates.data(), 2, 7, 1, limits.data(), 2}, *kernels,
                        executor, counts.data());
    CHECK_EQ(counts[0], 2);  // infinity and NaN
    CHECK_EQ(counts[1], 6);  // all but minus infinity
    CHECK_EQ(counts[2], 4);  // the largest, infinity, NaN and the smallest
    CHECK_EQ(counts[3], 3);  // 1e-70 is below
  }
}

}  // namespace
}  // namespace recs::testing
