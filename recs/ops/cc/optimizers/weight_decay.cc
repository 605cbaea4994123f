#include "optimizers/weight_decay.h"

#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void DecayWeightsBody(float decay, float learning_rate, float* w, int dim) {
  for (int j = 0; j < dim; ++j) w[j] -= w[j] * decay * learning_rate;
}

}  // namespace

void DecayWeights(float decay, float learning_rate, float* w, int dim) {
  Kernel<DecayWeightsBody>::Run(decay, learning_rate, w, dim);
}

void WeightDecay::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  DecayWeights(decay_, learning_rate_, embedding, dim);
  inner_->Update(gradient, embedding, slots, dim);
}

}  // namespace recs
