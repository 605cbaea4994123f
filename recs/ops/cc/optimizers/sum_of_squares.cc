#include "optimizers/sum_of_squares.h"

#include "table/row_kernels.h"

namespace recs {
namespace {

// Sixteen sums, so that the loop fills the widest registers, and then a tree.
RECS_KERNEL_BODY float SumOfSquaresBody(const float* row, int dim) {
  constexpr int kLanes = 16;
  float sums[kLanes] = {};
  int j = 0;
  for (; j + kLanes <= dim; j += kLanes) {
    for (int l = 0; l < kLanes; ++l) sums[l] += row[j + l] * row[j + l];
  }
  for (int l = 0; j + l < dim; ++l) sums[l] += row[j + l] * row[j + l];
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0];
}

}  // namespace

float SumOfSquares(const float* row, int dim) {
  return Kernel<SumOfSquaresBody>::Run(row, dim);
}

}  // namespace recs
