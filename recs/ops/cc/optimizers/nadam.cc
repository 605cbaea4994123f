#include "optimizers/nadam.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

// Beyond this many factors, 0.96^i no longer changes u_i = beta_1 (1 - 0.96^i / 2) in double.
constexpr int64_t kVaryingFactors = 1000;

double FactorAt(double beta_1, int64_t i) {
  return beta_1 * (1.0 - 0.5 * std::pow(0.96, static_cast<double>(i)));
}

// U_t, in a time that does not grow with t.
double ProductTo(double beta_1, int64_t t) {
  const int64_t varying = t < kVaryingFactors ? t : kVaryingFactors;
  double product = 1.0, power = 1.0;
  for (int64_t i = 1; i <= varying; ++i) {
    power *= 0.96;
    product *= beta_1 * (1.0 - 0.5 * power);
  }
  return product * std::pow(beta_1, static_cast<double>(t - varying));
}

RECS_KERNEL_BODY void NadamStepBody(const float* g, float one_minus_beta_1, float one_minus_beta_2,
                               float of_moment, float of_gradient, float correction, float lr,
                               float epsilon, float* __restrict w, float* __restrict m,
                               float* __restrict v, int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] += (g[j] - m[j]) * one_minus_beta_1;
    v[j] += (g[j] * g[j] - v[j]) * one_minus_beta_2;
    const float ahead = of_moment * m[j] + of_gradient * g[j];
    w[j] -= ahead * lr / (std::sqrt(v[j] / correction) + epsilon);
  }
}
constexpr Kernel<NadamStepBody> NadamStep;

}  // namespace

Nadam::Nadam(const OptimizerSpec& spec)
    : one_minus_beta_1_(1.0f - spec.parameters[0]),
      one_minus_beta_2_(1.0f - spec.parameters[1]),
      epsilon_(spec.parameters[2]),
      learning_rate_(spec.learning_rate) {
  const int64_t t = spec.step + 1;
  const double beta_1 = spec.parameters[0];
  const double factor = FactorAt(beta_1, t), next = FactorAt(beta_1, t + 1);
  const double product = ProductTo(beta_1, t);
  of_moment_ = static_cast<float>(next / (1.0 - product * next));
  of_gradient_ = static_cast<float>((1.0 - factor) / (1.0 - product));
  correction_ = 1.0f - std::pow(spec.parameters[1], static_cast<float>(t));
}

void Nadam::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  NadamStep(gradient, one_minus_beta_1_, one_minus_beta_2_, of_moment_, of_gradient_, correction_,
       learning_rate_, epsilon_, embedding, slots, slots + dim, dim);
}

}  // namespace recs
