#include "optimizers/adamax.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AdamaxStepBody(const float* g, float one_minus_beta_1, float beta_2, float lr,
                               float correction, float epsilon, float* __restrict w,
                               float* __restrict m, float* __restrict u, int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] += (g[j] - m[j]) * one_minus_beta_1;
    const float before = beta_2 * u[j];
    const float now = std::abs(g[j]);
    u[j] = before < now ? now : before;
    w[j] -= lr * m[j] / (correction * (u[j] + epsilon));
  }
}
constexpr Kernel<AdamaxStepBody> AdamaxStep;

}  // namespace

Adamax::Adamax(const OptimizerSpec& spec)
    : one_minus_beta_1_(spec.parameters[1]),
      beta_2_(spec.parameters[2]),
      epsilon_(spec.parameters[3]),
      learning_rate_(spec.learning_rate),
      correction_(1.0f - std::pow(spec.parameters[0], static_cast<float>(spec.step + 1))) {}

void Adamax::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  AdamaxStep(gradient, one_minus_beta_1_, beta_2_, learning_rate_, correction_, epsilon_, embedding,
       slots, slots + dim, dim);
}

}  // namespace recs
