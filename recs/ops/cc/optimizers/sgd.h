// Gradient descent as `keras.optimizers.SGD`: w -= lr g; with momentum, m = momentum m - lr g and
// w += m, or w += momentum m - lr g after Nesterov.
//
// Parameters: momentum, nesterov (0 or 1). Slots: m, only when momentum is not zero.
#ifndef RECS_OPTIMIZERS_SGD_H_
#define RECS_OPTIMIZERS_SGD_H_

#include "optimizers/row_optimizer.h"

namespace recs {

class Sgd final : public RowOptimizer {
 public:
  static constexpr size_t kParameters = 2;

  explicit Sgd(const OptimizerSpec& spec)
      : learning_rate_(spec.learning_rate),
        momentum_(spec.parameters[0]),
        nesterov_(spec.parameters[1] != 0.0f) {}

  int slots() const override { return momentum_ != 0.0f ? 1 : 0; }
  float initial_slot_value(int /*slot*/) const override { return 0.0f; }
  void Update(const float* gradient, float* embedding, float* slots, int dim) const override;

 private:
  float learning_rate_;
  float momentum_;
  bool nesterov_;
};

}  // namespace recs

#endif  // RECS_OPTIMIZERS_SGD_H_
