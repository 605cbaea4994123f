#include "optimizers/adagrad_decay.h"

#include <cmath>

#include "optimizers/counter.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

RECS_KERNEL_BODY void AdagradDecayStepBody(const float* g, float lr, float decay, float floor, float epsilon,
                               float* __restrict w, float* __restrict a, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float decayed = decay * a[j];
    a[j] = (decayed < floor ? floor : decayed) + g[j] * g[j];
    w[j] -= lr * g[j] / std::sqrt(a[j] + epsilon);
  }
}
constexpr Kernel<AdagradDecayStepBody> AdagradDecayStep;

}  // namespace

AdagradDecay::AdagradDecay(const OptimizerSpec& spec)
    : learning_rate_(spec.learning_rate),
      initial_accumulator_value_(spec.parameters[0]),
      epsilon_(spec.parameters[1]),
      decay_rate_(spec.parameters[3]) {
  const int64_t decay_steps = static_cast<int64_t>(spec.parameters[2]);
  period_ = AsCounter(decay_steps > 0 ? spec.step / decay_steps : 0);
}

void AdagradDecay::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  float* last = slots + dim;
  const uint32_t before = ReadCounter(last);
  // A step that went back, as when another optimizer of this kind takes over, decays nothing.
  const float decay = before < period_ ? std::pow(decay_rate_, float(period_ - before)) : 1.0f;
  WriteCounter(period_, last);
  AdagradDecayStep(gradient, learning_rate_, decay, initial_accumulator_value_, epsilon_, embedding, slots,
       dim);
}

}  // namespace recs
