#include "optimizers/sgd.h"

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_MULTIVERSIONED void Plain(const float* g, float lr, float* w, int dim) {
  for (int j = 0; j < dim; ++j) w[j] -= lr * g[j];
}

RECS_MULTIVERSIONED void Momentum(const float* g, float lr, float momentum, float* w, float* m,
                                  int dim) {
  for (int j = 0; j < dim; ++j) {
    m[j] = momentum * m[j] - lr * g[j];
    w[j] += m[j];
  }
}

RECS_MULTIVERSIONED void Nesterov(const float* g, float lr, float momentum, float* w, float* m,
                                  int dim) {
  for (int j = 0; j < dim; ++j) {
    const float step = lr * g[j];
    m[j] = momentum * m[j] - step;
    w[j] += momentum * m[j] - step;
  }
}

}  // namespace

void Sgd::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  if (momentum_ == 0.0f) {
    Plain(gradient, learning_rate_, embedding, dim);
  } else if (nesterov_) {
    Nesterov(gradient, learning_rate_, momentum_, embedding, slots, dim);
  } else {
    Momentum(gradient, learning_rate_, momentum_, embedding, slots, dim);
  }
}

}  // namespace recs
