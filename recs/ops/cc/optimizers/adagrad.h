// Adagrad as `keras.optimizers.Adagrad`: a += g^2, w -= lr g / sqrt(a + epsilon).
//
// Parameters: initial_accumulator_value, epsilon. Slots: a.
// Source: Duchi, Hazan, Singer, 2011, "Adaptive Subgradient Methods".
#ifndef RECS_OPTIMIZERS_ADAGRAD_H_
#define RECS_OPTIMIZERS_ADAGRAD_H_

#include "optimizers/row_optimizer.h"

namespace recs {

class Adagrad final : public RowOptimizer {
 public:
  static constexpr size_t kParameters = 2;

  explicit Adagrad(const OptimizerSpec& spec)
      : learning_rate_(spec.learning_rate),
        initial_accumulator_value_(spec.parameters[0]),
        epsilon_(spec.parameters[1]) {}

  int slots() const override { return 1; }
  float initial_slot_value(int /*slot*/) const override { return initial_accumulator_value_; }
  void Update(const float* gradient, float* embedding, float* slots, int dim) const override;

 private:
  float learning_rate_;
  float initial_accumulator_value_;
  float epsilon_;
};

}  // namespace recs

#endif  // RECS_OPTIMIZERS_ADAGRAD_H_
