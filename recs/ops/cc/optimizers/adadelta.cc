#include "optimizers/adadelta.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AdadeltaStepBody(const float* g, float lr, float rho, float one_minus_rho,
                               float epsilon, float* __restrict w, float* __restrict a,
                               float* __restrict d, int dim) {
  for (int j = 0; j < dim; ++j) {
    a[j] = rho * a[j] + one_minus_rho * (g[j] * g[j]);
    const float x = -(std::sqrt(d[j] + epsilon) * g[j] / std::sqrt(a[j] + epsilon));
    d[j] = rho * d[j] + one_minus_rho * (x * x);
    w[j] += lr * x;
  }
}
constexpr Kernel<AdadeltaStepBody> AdadeltaStep;

}  // namespace

void Adadelta::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  AdadeltaStep(gradient, learning_rate_, rho_, one_minus_rho_, epsilon_, embedding, slots, slots + dim,
       dim);
}

}  // namespace recs
