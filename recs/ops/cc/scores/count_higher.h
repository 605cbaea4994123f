// How many candidates score higher than a limit, without holding scores.
#ifndef RECS_SCORES_COUNT_HIGHER_H_
#define RECS_SCORES_COUNT_HIGHER_H_

#include <cstdint>

#include "scores/tile_kernels.h"
#include "table/executor.h"

namespace recs::scores {

// Row-major matrices. counts[i][l] is the number of candidates with
// queries_i . candidates_j > limits[i][l], or with a score of NaN.
//
// Scores are products in float32. Where their rounding could decide, the score is taken again in
// double precision, in one order of summation for all candidates: so the counts are those of double
// precision, and neither the instruction set nor a candidate's place matters.
struct CountProblem {
  const float* queries = nullptr;     // (rows, dim)
  const float* candidates = nullptr;  // (columns, dim)
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t dim = 0;
  const double* limits = nullptr;  // (rows, limits_of_row)
  int64_t limits_of_row = 0;
};

// Throws std::bad_alloc.
void CountHigher(const CountProblem& problem, const TileKernels& kernels, Executor& executor,
                 int64_t* counts);

}  // namespace recs::scores

#endif  // RECS_SCORES_COUNT_HIGHER_H_
