// The names of what optimizers are told, in the order in which their headers state it.
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>

#include "table/table_base.h"

namespace recs {
namespace {

struct Names {
  const char* optimizer;
  std::initializer_list<const char*> parameters;
};

const Names kNames[] = {
    {"sgd", {"momentum", "nesterov"}},
    {"adagrad", {"initial_accumulator_value", "epsilon"}},
    {"adam", {"beta_1", "beta_2", "one_minus_beta_1", "one_minus_beta_2", "epsilon"}},
    {"amsgrad", {"beta_1", "beta_2", "one_minus_beta_1", "one_minus_beta_2", "epsilon"}},
    {"adamax", {"beta_1", "one_minus_beta_1", "beta_2", "epsilon"}},
    {"nadam", {"beta_1", "beta_2", "epsilon"}},
    {"adadelta", {"rho", "one_minus_rho", "epsilon"}},
    {"rmsprop", {"rho", "one_minus_rho", "momentum", "epsilon"}},
    {"centered_rmsprop", {"rho", "one_minus_rho", "momentum", "epsilon"}},
    {"ftrl",
     {"learning_rate_power", "initial_accumulator_value", "l1", "l2", "l2_shrinkage", "beta"}},
    {"lion", {"beta_1", "beta_2"}},
    {"rowwise_adagrad", {"initial_accumulator_value", "epsilon"}},
    {"adagrad_decay", {"initial_accumulator_value", "epsilon", "decay_steps", "decay_rate"}},
    {"lazy_adam",
     {"beta_1", "beta_2", "one_minus_beta_1", "one_minus_beta_2", "epsilon", "decays_skipped",
      "corrects_rows"}},
    {"group_ftrl",
     {"learning_rate_power", "initial_accumulator_value", "l1", "l2", "l2_shrinkage", "beta",
      "l21"}},
};

constexpr float kSmallest = std::numeric_limits<float>::min();  // threads flush what is below it
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kBelowOne = 1.0f - std::numeric_limits<float>::epsilon() / 2;

// What a value may be, ends included. Beyond them a row could become NaN by the rule itself, be it
// by a division by zero.
struct Range {
  std::string_view name;
  float least, most;
  const char* rule;
};

constexpr Range kRanges[] = {
    {"beta_1", 0.0f, kBelowOne, "from 0 to below 1"},
    {"beta_2", 0.0f, kBelowOne, "from 0 to below 1"},
    {"one_minus_beta_1", kSmallest, 1.0f, "above 0 and at most 1"},
    {"one_minus_beta_2", kSmallest, 1.0f, "above 0 and at most 1"},
    {"rho", 0.0f, 1.0f, "from 0 to 1"},
    {"one_minus_rho", 0.0f, 1.0f, "from 0 to 1"},
    {"momentum", 0.0f, 1.0f, "from 0 to 1"},
    {"epsilon", kSmallest, kLargest, "finite and above 0 in float32"},
    {"learning_rate_power", -kLargest, 0.0f, "finite and at most 0"},
    {"decay_steps", kSmallest, kLargest, "finite and above 0"},
    {"decay_rate", 0.0f, 1.0f, "from 0 to 1"},
};
constexpr Range kOthers{"", 0.0f, kLargest, "finite and not negative"};

const Range& RangeOf(std::string_view name) {
  for (const Range& range : kRanges) {
    if (range.name == name) return range;
  }
  return kOthers;
}

}  // namespace

Status CheckHyperparameters(const CommitOptions& options, const std::string& where) {
  for (const Hyperparameter& one : HyperparametersOf(options)) {
    const Range& range = RangeOf(one.name);
    if (one.value >= range.least && one.value <= range.most) continue;  // not so of NaN
    return InvalidArgument("`" + one.name + "` of the optimizer '" + options.optimizer.name +
                           "' must be " + range.rule + ". Received: " + std::to_string(one.value) +
                           where + ". No row was changed. Look at the optimizer's arguments and " +
                           "its learning rate schedule.");
  }
  const int64_t step = options.optimizer.step;
  if (step >= 0 && step <= kMostSteps) return {};
  return InvalidArgument("`iterations` of the optimizer must be from 0 to 2^62. Received: " +
                         std::to_string(step) + where + ". No row was changed.");
}

std::vector<Hyperparameter> HyperparametersOf(const CommitOptions& options) {
  const OptimizerSpec& spec = options.optimizer;
  std::vector<Hyperparameter> told = {{"learning_rate", spec.learning_rate},
                                      {"weight_decay", spec.weight_decay},
                                      {"clipnorm", options.clipnorm},
                                      {"clipvalue", options.clipvalue}};
  for (const Names& names : kNames) {
    if (spec.name != names.optimizer || spec.parameters.size() != names.parameters.size()) continue;
    auto value = spec.parameters.begin();
    for (const char* name : names.parameters) told.push_back({name, *value++});
  }
  return told;
}

}  // namespace recs
