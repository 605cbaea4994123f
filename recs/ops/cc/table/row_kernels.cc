#include "table/row_kernels.h"

#include <cstdint>
#include <cstring>

namespace recs {
namespace {

RECS_KERNEL_BODY void AddRowBody(const float* row, float* sum, int dim) {
  for (int j = 0; j < dim; ++j) sum[j] += row[j];
}

RECS_KERNEL_BODY void AddScaledRowBody(const float* row, float factor, float* sum, int dim) {
  for (int j = 0; j < dim; ++j) sum[j] += factor * row[j];
}

RECS_KERNEL_BODY void ScaleRowBody(float factor, float* row, int dim) {
  for (int j = 0; j < dim; ++j) row[j] *= factor;
}

RECS_KERNEL_BODY void ClipRowBody(float limit, float* row, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float low = row[j] < -limit ? -limit : row[j];
    row[j] = low > limit ? limit : low;
  }
}

// A float is NaN or infinite when its eight exponent bits are all set.
RECS_KERNEL_BODY bool AllFiniteBody(const float* row, int dim) {
  uint32_t bad = 0;
  for (int j = 0; j < dim; ++j) {
    uint32_t bits;
    std::memcpy(&bits, row + j, 4);
    bad |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return bad == 0;
}

}  // namespace

void AddRow(const float* row, float* sum, int dim) { Kernel<AddRowBody>::Run(row, sum, dim); }

void AddScaledRow(const float* row, float factor, float* sum, int dim) {
  Kernel<AddScaledRowBody>::Run(row, factor, sum, dim);
}

void ScaleRow(float factor, float* row, int dim) { Kernel<ScaleRowBody>::Run(factor, row, dim); }

void ClipRow(float limit, float* row, int dim) { Kernel<ClipRowBody>::Run(limit, row, dim); }

bool AllFinite(const float* row, int dim) { return Kernel<AllFiniteBody>::Run(row, dim); }

double Dot(const float* x, const float* y, int dim) {
  double sum = 0.0;
  for (int j = 0; j < dim; ++j) sum += double{x[j]} * double{y[j]};
  return sum;
}

}  // namespace recs
