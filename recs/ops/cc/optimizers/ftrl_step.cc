#include "optimizers/ftrl_step.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

// A power of a half, the default, is a square root, which vectors have; `std::pow` they do not.
RECS_KERNEL_BODY void AccumulateRoot(const float* g, FtrlConstants c, const float* w,
                                     float* __restrict a, float* __restrict z, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float sum = a[j] + g[j] * g[j];
    z[j] += g[j] + c.two_l2_shrinkage * w[j] -
            (std::sqrt(sum) - std::sqrt(a[j])) / c.learning_rate * w[j];
    a[j] = sum;
  }
}

void AccumulatePower(const float* g, FtrlConstants c, const float* w, float* a, float* z,
                     int dim) {
  for (int j = 0; j < dim; ++j) {
    const float sum = a[j] + g[j] * g[j];
    z[j] += g[j] + c.two_l2_shrinkage * w[j] -
            (std::pow(sum, c.power) - std::pow(a[j], c.power)) / c.learning_rate * w[j];
    a[j] = sum;
  }
}

inline float Shrunk(float z, float l1) {
  const float low = z < -l1 ? -l1 : z;
  return (low > l1 ? l1 : low) - z;
}

RECS_KERNEL_BODY void SolveRoot(FtrlConstants c, float factor, const float* a, const float* z,
                                float* __restrict w, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float divisor = std::sqrt(a[j]) / c.learning_rate + c.two_l2;
    const float solved = factor * Shrunk(z[j], c.l1) / divisor;
    w[j] = divisor == 0.0f ? w[j] : solved;
  }
}

void SolvePower(FtrlConstants c, float factor, const float* a, const float* z, float* w, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float divisor = std::pow(a[j], c.power) / c.learning_rate + c.two_l2;
    const float solved = factor * Shrunk(z[j], c.l1) / divisor;
    w[j] = divisor == 0.0f ? w[j] : solved;
  }
}

}  // namespace

FtrlConstants::FtrlConstants(const OptimizerSpec& spec)
    : learning_rate(spec.learning_rate),
      power(-spec.parameters[0]),
      l1(spec.parameters[2]),
      two_l2(2.0f * (spec.parameters[3] + spec.parameters[5] / (2.0f * spec.learning_rate))),
      two_l2_shrinkage(2.0f * spec.parameters[4]) {}

void FtrlAccumulate(const float* g, const FtrlConstants& constants, const float* w, float* a,
                    float* z, int dim) {
  const auto accumulate =
      constants.power == 0.5f ? Kernel<AccumulateRoot>::Run : AccumulatePower;
  accumulate(g, constants, w, a, z, dim);
}

void FtrlSolve(const FtrlConstants& constants, float factor, const float* a, const float* z,
               float* w, int dim) {
  const auto solve = constants.power == 0.5f ? Kernel<SolveRoot>::Run : SolvePower;
  solve(constants, factor, a, z, w, dim);
}

}  // namespace recs
