// The names of what optimizers are told, in the order in which their headers state it.
#include <initializer_list>
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

}  // namespace

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
