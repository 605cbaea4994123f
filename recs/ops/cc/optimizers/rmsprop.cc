#include "optimizers/rmsprop.h"

#include <cmath>

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void RmspropPlainBody(const float* g, RmspropConstants c, float* __restrict w,
                                float* __restrict v, int dim) {
  for (int j = 0; j < dim; ++j) {
    v[j] = c.rho * v[j] + c.one_minus_rho * (g[j] * g[j]);
    w[j] -= c.lr * g[j] / std::sqrt(v[j] + c.epsilon);
  }
}
constexpr Kernel<RmspropPlainBody> RmspropPlain;

RECS_KERNEL_BODY void RmspropMomentumBody(const float* g, RmspropConstants c, float* __restrict w,
                                   float* __restrict v, float* __restrict m, int dim) {
  for (int j = 0; j < dim; ++j) {
    v[j] = c.rho * v[j] + c.one_minus_rho * (g[j] * g[j]);
    m[j] = c.momentum * m[j] + c.lr * g[j] / std::sqrt(v[j] + c.epsilon);
    w[j] -= m[j];
  }
}
constexpr Kernel<RmspropMomentumBody> RmspropMomentum;

RECS_KERNEL_BODY void CenteredBody(const float* g, RmspropConstants c, float* __restrict w,
                                   float* __restrict v, float* __restrict a, int dim) {
  for (int j = 0; j < dim; ++j) {
    v[j] = c.rho * v[j] + c.one_minus_rho * (g[j] * g[j]);
    a[j] = c.rho * a[j] + c.one_minus_rho * g[j];
    w[j] -= c.lr * g[j] / std::sqrt(v[j] - a[j] * a[j] + c.epsilon);
  }
}
constexpr Kernel<CenteredBody> Centered;

RECS_KERNEL_BODY void CenteredMomentumBody(const float* g, RmspropConstants c, float* __restrict w,
                                           float* __restrict v, float* __restrict a,
                                           float* __restrict m, int dim) {
  for (int j = 0; j < dim; ++j) {
    v[j] = c.rho * v[j] + c.one_minus_rho * (g[j] * g[j]);
    a[j] = c.rho * a[j] + c.one_minus_rho * g[j];
    m[j] = c.momentum * m[j] + c.lr * g[j] / std::sqrt(v[j] - a[j] * a[j] + c.epsilon);
    w[j] -= m[j];
  }
}
constexpr Kernel<CenteredMomentumBody> CenteredMomentum;

}  // namespace

void Rmsprop::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  if (constants_.momentum > 0.0f) {
    RmspropMomentum(gradient, constants_, embedding, slots, slots + dim, dim);
  } else {
    RmspropPlain(gradient, constants_, embedding, slots, dim);
  }
}

void CenteredRmsprop::Update(const float* gradient, float* embedding, float* slots,
                             int dim) const {
  if (constants_.momentum > 0.0f) {
    CenteredMomentum(gradient, constants_, embedding, slots, slots + dim, slots + 2 * dim, dim);
  } else {
    Centered(gradient, constants_, embedding, slots, slots + dim, dim);
  }
}

}  // namespace recs
