#include "optimizers/adam.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_MULTIVERSIONED void Step(const float* g, float one_minus_beta_1, float one_minus_beta_2,
                              float alpha, float epsilon, float* w, float* m, float* v, int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] += (g[j] - m[j]) * one_minus_beta_1;
    v[j] += (g[j] * g[j] - v[j]) * one_minus_beta_2;
    w[j] -= m[j] * alpha / (std::sqrt(v[j]) + epsilon);
  }
}

}  // namespace

Adam::Adam(const OptimizerSpec& spec)
    : one_minus_beta_1_(spec.parameters[2]),
      one_minus_beta_2_(spec.parameters[3]),
      epsilon_(spec.parameters[4]) {
  // In single precision, as Keras does: its rounding is part of what "the same" means.
  const float t = static_cast<float>(spec.step + 1);
  const float correction_1 = 1.0f - std::pow(spec.parameters[0], t);
  const float correction_2 = 1.0f - std::pow(spec.parameters[1], t);
  alpha_ = spec.learning_rate * std::sqrt(correction_2) / correction_1;
}

void Adam::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  Step(gradient, one_minus_beta_1_, one_minus_beta_2_, alpha_, epsilon_, embedding, slots,
       slots + dim, dim);
}

}  // namespace recs
