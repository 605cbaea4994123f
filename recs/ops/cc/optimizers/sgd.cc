#include "optimizers/sgd.h"

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void SgdPlainBody(const float* g, float lr, float* w, int dim) {
  for (int j = 0; j < dim; ++j) w[j] -= lr * g[j];
}
constexpr Kernel<SgdPlainBody> SgdPlain;

RECS_KERNEL_BODY void SgdMomentumBody(const float* g, float lr, float momentum, float* w, float* m,
                                   int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] = momentum * m[j] - lr * g[j];
    w[j] += m[j];
  }
}
constexpr Kernel<SgdMomentumBody> SgdMomentum;

RECS_KERNEL_BODY void NesterovBody(const float* g, float lr, float momentum, float* w, float* m,
                                   int dim) {
  for (int j = 0; j < dim; ++j) {
    const float step = lr * g[j];
    m[j] = momentum * m[j] - step;
    w[j] += momentum * m[j] - step;
  }
}
constexpr Kernel<NesterovBody> Nesterov;

}  // namespace

void Sgd::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  if (momentum_ == 0.0f) {
    SgdPlain(gradient, learning_rate_, embedding, dim);
  } else if (nesterov_) {
    Nesterov(gradient, learning_rate_, momentum_, embedding, slots, dim);
  } else {
    SgdMomentum(gradient, learning_rate_, momentum_, embedding, slots, dim);
  }
}

}  // namespace recs
