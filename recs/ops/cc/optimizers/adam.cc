#include "optimizers/adam.h"

#include <cmath>

#include "optimizers/adam_rate.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AdamStepBody(const float* g, float one_minus_beta_1, float one_minus_beta_2,
                                   float alpha, float epsilon, float* __restrict w,
                                   float* __restrict m, float* __restrict v, int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] += (g[j] - m[j]) * one_minus_beta_1;
    v[j] += (g[j] * g[j] - v[j]) * one_minus_beta_2;
    w[j] -= m[j] * alpha / (std::sqrt(v[j]) + epsilon);
  }
}

}  // namespace

void AdamStep(const float* g, float one_minus_beta_1, float one_minus_beta_2, float alpha,
              float epsilon, float* w, float* m, float* v, int dim) {
  Kernel<AdamStepBody>::Run(g, one_minus_beta_1, one_minus_beta_2, alpha, epsilon, w, m, v, dim);
}

Adam::Adam(const OptimizerSpec& spec)
    : one_minus_beta_1_(spec.parameters[2]),
      one_minus_beta_2_(spec.parameters[3]),
      epsilon_(spec.parameters[4]),
      alpha_(AdamRate(spec.learning_rate, spec.parameters[0], spec.parameters[1],
                      spec.step + 1)) {}

void Adam::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  AdamStep(gradient, one_minus_beta_1_, one_minus_beta_2_, alpha_, epsilon_, embedding, slots,
           slots + dim, dim);
}

}  // namespace recs
