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
          const std::vector<float> limits = Whole(random, rows * each);
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

}  // namespace
}  // namespace recs::testing
