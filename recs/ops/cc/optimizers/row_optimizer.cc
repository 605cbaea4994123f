#include "optimizers/row_optimizer.h"

#include "optimizers/adagrad.h"
#include "optimizers/adam.h"
#include "optimizers/sgd.h"

namespace recs {
namespace {

template <class Optimizer>
Status Make(const OptimizerSpec& spec, std::unique_ptr<RowOptimizer>* optimizer) {
  if (spec.parameters.size() != Optimizer::kParameters) {
    return InvalidArgument("`parameters` of the row optimizer '" + spec.name + "' must have " +
                           std::to_string(Optimizer::kParameters) +
                           " values. Received: " + std::to_string(spec.parameters.size()) +
                           " values (in a table's commit).");
  }
  *optimizer = std::make_unique<Optimizer>(spec);
  return {};
}

}  // namespace

Status MakeRowOptimizer(const OptimizerSpec& spec, std::unique_ptr<RowOptimizer>* optimizer) {
  if (spec.name == "sgd") return Make<Sgd>(spec, optimizer);
  if (spec.name == "adagrad") return Make<Adagrad>(spec, optimizer);
  if (spec.name == "adam") return Make<Adam>(spec, optimizer);
  return InvalidArgument(
      "`optimizer` must be one that has a row update: sgd, adagrad, adam. Received: '" + spec.name +
      "' (in a table's commit).");
}

}  // namespace recs
