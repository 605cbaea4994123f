#include "optimizers/adagrad.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AdagradStepBody(const float* g, float lr, float epsilon, float* w, float* a,
                               int dim) {
  for (int j = 0; j < dim; ++j) {
    a[j] += g[j] * g[j];
    w[j] -= lr * g[j] / std::sqrt(a[j] + epsilon);
  }
}
constexpr Kernel<AdagradStepBody> AdagradStep;

}  // namespace

void Adagrad::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  AdagradStep(gradient, learning_rate_, epsilon_, embedding, slots, dim);
}

}  // namespace recs
