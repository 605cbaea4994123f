#include "scores/softmax_loss.h"

#include <cmath>
#include <limits>

#include "kernels_here.h"
#include "support.h"

namespace recs::testing {
namespace {

using scores::Problem;
using scores::Solution;

constexpr float kLowest = -1e30f;

// A problem with what it points to.
struct Given {
  std::vector<float> queries, candidates, bias, weights, positives;
  std::vector<int64_t> own_numbers, numbers;
  Problem problem;
};

std::vector<float> Numbers(Random& random, int64_t count, float size) {
  std::vector<float> numbers(count);
  for (float& one : numbers) one = (random.Unit() * 2 - 1) * size;
  return numbers;
}

Given Make(Random& random, int64_t rows, int64_t columns, int64_t dim, float size) {
  Given given;
  given.queries = Numbers(random, rows * dim, size);
  given.candidates = Numbers(random, columns * dim, 1);
  given.bias = Numbers(random, columns, size);
  given.weights = Numbers(random, rows, 1);
  given.positives = Numbers(random, rows, 2 * size);
  for (int64_t i = 0; i < rows; ++i) given.own_numbers.push_back(random.Below(7));
  for (int64_t i = 0; i < columns; ++i) given.numbers.push_back(random.Below(9));
  Problem& problem = given.problem;
  problem.queries = given.queries.data();
  problem.candidates = given.candidates.data();
  problem.rows = rows;
  problem.columns = columns;
  problem.dim = dim;
  problem.lowest = kLowest;
  return given;
}

struct Found {
  std::vector<float> losses, d_queries, d_candidates, d_positives, d_bias;
};

Found Room(const Problem& problem) {
  // What is not written shows.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Found found;
  found.losses.assign(problem.rows, nan);
  found.d_queries.assign(problem.rows * problem.dim, nan);
  found.d_candidates.assign(problem.columns * problem.dim, nan);
  found.d_positives.assign(problem.rows, nan);
  found.d_bias.assign(problem.columns, nan);
  return found;
}

Found Solved(const Problem& problem, const scores::TileKernels& kernels, int threads,
             bool with_gradient = true) {
  Found found = Room(problem);
  ThreadExecutor executor(threads);
  scores::Solve(problem, kernels, executor,
                 {found.losses.data(), with_gradient, found.d_queries.data(),
                  found.d_candidates.data(), found.d_positives.data(),
                  problem.bias == nullptr ? nullptr : found.d_bias.data()});
  return found;
}

// By the formula, one score after the other, in double precision.
Found Expected(const Problem& p) {
  Found found = Room(p);
  std::vector<double> d_candidates(p.columns * p.dim), d_bias(p.columns);
  for (int64_t i = 0; i < p.rows; ++i) {
    std::vector<double> scores(p.columns);
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t j = 0; j < p.columns; ++j) {
      double score = p.bias == nullptr ? 0 : p.bias[j];
      for (int64_t k = 0; k < p.dim; ++k) {
        score += double{p.queries[i * p.dim + k]} * p.candidates[j * p.dim + k];
      }
      const bool left_out =
          p.numbers != nullptr ? p.numbers[j] == p.own_numbers[i] : p.without_diagonal && i == j;
      scores[j] = left_out ? -std::numeric_limits<double>::infinity() : score;
      largest = std::max(largest, scores[j]);
    }
    for (double score : scores) sum += largest > -1e300 ? std::exp(score - largest) : 0;
    const double z = sum > 0 ? std::log(sum) + largest : kLowest;
    const double weight = p.weights == nullptr ? 1 : p.weights[i];
    double share = 1, loss = z;
    if (p.positives != nullptr) {
      const double above = z - p.positives[i];
      loss = std::max(above, 0.0) + std::log1p(std::exp(-std::abs(above)));
      share = 1 / (1 + std::exp(-above));
      found.d_positives[i] = static_cast<float>(-weight * share);
    }
    found.losses[i] = static_cast<float>(loss);
    std::vector<double> d_query(p.dim);
    for (int64_t j = 0; j < p.columns; ++j) {
      const double part = sum > 0 ? weight * share * std::exp(scores[j] - z) : 0;
      d_bias[j] += part;
      for (int64_t k = 0; k < p.dim; ++k) {
        d_query[k] += part * p.candidates[j * p.dim + k];
        d_candidates[j * p.dim + k] += part * p.queries[i * p.dim + k];
      }
    }
    for (int64_t k = 0; k < p.dim; ++k) found.d_queries[i * p.dim + k] = d_query[k];
  }
  found.d_candidates.assign(d_candidates.begin(), d_candidates.end());
  found.d_bias.assign(d_bias.begin(), d_bias.end());
  return found;
}

void CheckNear(const std::vector<float>& found, const std::vector<float>& expected,
               double tolerance) {
  CHECK_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK_NEAR(found[i], expected[i], tolerance * (1 + std::abs(expected[i])));
  }
}

void CheckSolution(const Problem& problem, const scores::TileKernels& kernels, int threads) {
  const Found expected = Expected(problem), found = Solved(problem, kernels, threads);
  // A score is off by its size's rounding, and an exponential by as much of itself.
  double largest = 0;
  for (float loss : expected.losses) {
    if (loss != kLowest) largest = std::max(largest, std::abs(double{loss}));
  }
  const double tolerance = 1e-5 + 1e-6 * largest;
  CheckNear(found.losses, expected.losses, tolerance);
  CheckNear(found.d_queries, expected.d_queries, tolerance);
  double longest = 1;
  for (int64_t i = 0; i < problem.rows * problem.dim; ++i) {
    longest = std::max(longest, std::abs(double{problem.queries[i]}));
  }
  CheckNear(found.d_candidates, expected.d_candidates, tolerance * longest);
  if (problem.positives != nullptr) {
    CheckNear(found.d_positives, expected.d_positives, tolerance);
  }
  if (problem.bias != nullptr) CheckNear(found.d_bias, expected.d_bias, tolerance);
  CheckNear(Solved(problem, kernels, threads, false).losses, expected.losses, tolerance);
}

TEST(SoftmaxLossByItsFormula) {
  Random random(1);
  for (const scores::TileKernels* kernels : KernelsHere()) {
    for (int64_t dim : {1, 5, 16, 64, 65, 90}) {
      for (int options = 0; options < 32; ++options) {
        const int64_t rows = 1 + random.Below(40), columns = rows + random.Below(150);
        // Small scores, and such as need a shift.
        Given given = Make(random, rows, columns, dim, options & 1 ? 60 : 0.3f);
        Problem& problem = given.problem;
        if (options & 2) problem.bias = given.bias.data();
        if (options & 4) problem.weights = given.weights.data();
        if (options & 8) problem.positives = given.positives.data();
        if (options & 16) {
          problem.own_numbers = given.own_numbers.data();
          problem.numbers = given.numbers.data();
        } else {
          problem.without_diagonal = options & 8;
        }
        note = std::string(kernels->name) + " dim " + Show(dim) + " options " + Show(options);
        CheckSolution(problem, *kernels, 1 + options % 3);
      }
    }
  }
}

TEST(SoftmaxLossOfManyBlocks) {
  Random random(2);
  // More columns than a block of all rows has room for.
  Given given = Make(random, 250, 20000, 3, 0.5f);
  given.problem.positives = given.positives.data();
  given.problem.without_diagonal = true;
  CheckSolution(given.problem, scores::ActiveKernels(), 3);
}

TEST(SoftmaxLossOfNothing) {
  Random random(3);
  for (const scores::TileKernels* kernels : KernelsHere()) {
    for (const auto& [rows, columns] : {std::pair{0, 5}, std::pair{5, 0}, std::pair{1, 1}}) {
      Given given = Make(random, rows, columns, 4, 1);
      given.problem.without_diagonal = true;
      CheckSolution(given.problem, *kernels, 2);
      given.problem.positives = given.positives.data();
      given.problem.bias = given.bias.data();
      CheckSolution(given.problem, *kernels, 2);
    }
  }
}

TEST(SoftmaxLossIsNanWhereScoresAre) {
  Random random(4);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const scores::TileKernels* kernels : KernelsHere()) {
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), infinity}) {
      Given given = Make(random, 9, 70, 8, 1);
      given.problem.positives = given.positives.data();
      given.queries[3 * 8 + 2] = bad;  // of row 3 alone
      const Found found = Solved(given.problem, *kernels, 2);
      for (int i = 0; i < 9; ++i) CHECK_EQ(std::isfinite(found.losses[i]), i != 3);
      CHECK(!std::isfinite(found.d_queries[3 * 8]));
      CHECK(!std::isfinite(found.d_candidates[0]));
      given.queries[3 * 8 + 2] = 0;
      given.candidates[5] = bad;
      const std::vector<float> losses = Solved(given.problem, *kernels, 2).losses;
      for (int i = 0; i < 9; ++i) {
        // A score of minus infinity is that of a column which is not there.
        const bool harmless = bad == infinity && given.queries[i * 8 + 5] < 0;
        CHECK_EQ(std::isfinite(losses[i]), harmless);
      }
    }
  }
}

}  // namespace
}  // namespace recs::testing
