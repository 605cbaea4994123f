#include "optimizers/lion.h"

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void LionStepBody(const float* g, float lr, float beta_1, float one_minus_beta_1,
                               float beta_2, float one_minus_beta_2, float* __restrict w,
                               float* __restrict m, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float direction = m[j] * beta_1 + g[j] * one_minus_beta_1;
    const float up = direction > 0.0f ? lr : 0.0f;
    const float down = direction < 0.0f ? lr : 0.0f;
    w[j] -= up - down;
    m[j] = m[j] * beta_2 + g[j] * one_minus_beta_2;
  }
}
constexpr Kernel<LionStepBody> LionStep;

}  // namespace

void Lion::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  LionStep(gradient, learning_rate_, beta_1_, 1.0f - beta_1_, beta_2_, 1.0f - beta_2_, embedding,
       slots, dim);
}

}  // namespace recs
