// The softmax of what each query chose, among candidates that all queries share, with its gradient.
//
// The scores of a few rows of queries at a time are made, used for the loss and for both gradients,
// and thrown away: three matrix products, whose middle, `rows x columns`, is never held.
#ifndef RECS_SCORES_SOFTMAX_LOSS_H_
#define RECS_SCORES_SOFTMAX_LOSS_H_

#include <cstdint>

#include "scores/tile_kernels.h"
#include "table/executor.h"

namespace recs::scores {

// Row-major matrices, float32. With s_ij = queries_i . candidates_j + bias_j and the columns K_i
// that are not left out,
//   z_i = log sum_{j in K_i} exp(s_ij)
//   loss_i = log(exp(positives_i) + exp(z_i)) - positives_i, or z_i where there are no positives.
// Of no columns z_i is `lowest`.
struct Problem {
  const float* queries = nullptr;     // (rows, dim)
  const float* candidates = nullptr;  // (columns, dim)
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t dim = 0;
  const float* bias = nullptr;       // (columns), or null for 0
  const float* weights = nullptr;    // (rows), of the losses in the gradient, or null for 1
  const float* positives = nullptr;  // (rows), or null
  // Columns with a row's own number are left out of it; both or neither.
  const int64_t* own_numbers = nullptr;  // (rows)
  const int64_t* numbers = nullptr;      // (columns)
  // Whether column i is left out of row i, if there are no numbers to tell.
  bool without_diagonal = false;
  float lowest = 0;
};

// The losses, and the gradient of sum_i weights_i loss_i.
struct Solution {
  float* losses = nullptr;  // (rows)
  // Of no further use if false; else all of them are needed, but for `d_bias`.
  bool with_gradient = false;
  float* d_queries = nullptr;     // (rows, dim)
  float* d_candidates = nullptr;  // (columns, dim)
  float* d_positives = nullptr;   // (rows); unused without positives
  float* d_bias = nullptr;        // (columns); null if it is not wanted
};

// Throws std::bad_alloc.
void Solve(const Problem& problem, const TileKernels& kernels, Executor& executor,
           const Solution& solution);

}  // namespace recs::scores

#endif  // RECS_SCORES_SOFTMAX_LOSS_H_
