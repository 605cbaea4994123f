#include "optimizers/amsgrad.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AmsgradStepBody(const float* g, float one_minus_beta_1, float one_minus_beta_2,
                               float alpha, float epsilon, float* __restrict w, float* __restrict m,
                               float* __restrict v, float* __restrict h, int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] += (g[j] - m[j]) * one_minus_beta_1;
    v[j] += (g[j] * g[j] - v[j]) * one_minus_beta_2;
    h[j] = h[j] < v[j] ? v[j] : h[j];
    w[j] -= m[j] * alpha / (std::sqrt(h[j]) + epsilon);
  }
}
constexpr Kernel<AmsgradStepBody> AmsgradStep;

}  // namespace

void Amsgrad::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  AmsgradStep(gradient, one_minus_beta_1_, one_minus_beta_2_, alpha_, epsilon_, embedding, slots,
       slots + dim, slots + 2 * dim, dim);
}

}  // namespace recs
