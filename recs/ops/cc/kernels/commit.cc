// RecsTablesCommit: updates every row that the step has a gradient for, once. A table that is not
// to be updated now (gradient accumulation) keeps its gradients for a later commit.
#include <cmath>

#include "kernels/table_kernel.h"
#include "table/table_group.h"
#include "tensorflow/core/platform/logging.h"

namespace recs {
namespace {

// At the first refusal and each time their number has doubled, so that a model that diverges is
// heard and does not flood.
void ReportRefused(const TableBase& table, const CommitResult& result) {
  if (result.refused == 0) return;
  const int64_t all = table.counts().refused_updates;
  const int64_t before = all - result.refused;
  if (before > 0 && std::ilogb(double(all)) == std::ilogb(double(before))) return;
  LOG(WARNING) << "The gradient of a row must be finite. Received: NaN or infinity for "
               << result.refused << " rows at step " << table.step() << " (in table '"
               << table.options().name << "'). Their updates were refused, " << all
               << " in all; look for a too high learning rate or a division by zero.";
}

class CommitKernel final : public TablesKernel {
 public:
  explicit CommitKernel(tensorflow::OpKernelConstruction* context) : TablesKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context,
                   const std::vector<TableBase*>& tables) override {
    if (tables.size() != options_.size()) return WrongCounts();
    RECS_RETURN_IF_ERROR(CheckHoldEmbeddings(tables));
    tensorflow::OpInputList learning_rates, steps, scales, now;
    RECS_RETURN_IF_ERROR(context->input_list("learning_rates", &learning_rates));
    RECS_RETURN_IF_ERROR(context->input_list("steps", &steps));
    RECS_RETURN_IF_ERROR(context->input_list("scales", &scales));
    RECS_RETURN_IF_ERROR(context->input_list("now", &now));
    // All of them are read and checked before anything changes, so that a step is refused whole.
    std::vector<OfTable> parts(tables.size());
    for (size_t t = 0; t < tables.size(); ++t) {
      OfTable& part = parts[t];
      part.options = options_[t];
      RECS_RETURN_IF_ERROR(ReadScalar("learning_rates", learning_rates[t], type_string(),
                                      &part.options.optimizer.learning_rate));
      int64_t step = 0;
      RECS_RETURN_IF_ERROR(ReadScalar("steps", steps[t], type_string(), &step));
      part.options.optimizer.step = step < 0 ? tables[t]->step() : step;
      RECS_RETURN_IF_ERROR(ReadScalar("scales", scales[t], type_string(), &part.scale));
      RECS_RETURN_IF_ERROR(ReadScalar("now", now[t], type_string(), &part.now));
      RECS_RETURN_IF_ERROR(Check(*tables[t], part));
    }
    std::vector<std::vector<RowGradients>> gradients(tables.size());
    std::vector<int64_t> sizes(tables.size(), 0);
    for (size_t t = 0; t < tables.size(); ++t) {
      if (!parts[t].now) {
        tables[t]->pending().Hold(parts[t].scale);
        continue;
      }
      gradients[t] = tables[t]->pending().Take(parts[t].scale);
      sizes[t] = 1;
      for (const RowGradients& entry : gradients[t]) {
        sizes[t] += static_cast<int64_t>(entry.rows.size());
      }
    }
    std::vector<Status> statuses(tables.size());
    std::vector<CommitResult> results(tables.size());
    TeamExecutor all = DeviceThreads(context);
    ForEachTable(sizes, 300, all, [&](int t, Executor& executor) {
      if (sizes[t] == 0) return;
      statuses[t] =
          tables[t]->Commit(parts[t].options, std::move(gradients[t]), executor, &results[t]);
    });
    tensorflow::OpOutputList updated;
    RECS_RETURN_IF_ERROR(context->output_list("updated", &updated));
    for (size_t t = 0; t < tables.size(); ++t) {
      RECS_RETURN_IF_ERROR(ToAbsl(statuses[t]));
      ReportRefused(*tables[t], results[t]);
      tensorflow::Tensor* count = nullptr;
      RECS_RETURN_IF_ERROR(
          updated.allocate(static_cast<int>(t), tensorflow::TensorShape({}), &count));
      count->scalar<int64_t>()() = results[t].updated;
    }
    return absl::OkStatus();
  }

 private:
  struct OfTable {
    CommitOptions options;
    float scale = 1.0f;
    bool now = true;
  };

  static absl::Status Check(const TableBase& table, const OfTable& part) {
    const std::string where = " (in the commit of table '" + table.options().name + "')";
    if (!std::isfinite(part.scale) || part.scale <= 0.0f) {
      return absl::InvalidArgumentError(absl::StrCat(
          "The factor of a step's gradients must be finite and above 0. Received: ", part.scale,
          where, ". No row was changed. Look for a loss scale of 0, NaN or infinity."));
    }
    return ToAbsl(CheckHyperparameters(part.options, where));
  }

  absl::Status ReadAttributes(tensorflow::OpKernelConstruction* context) {
    std::vector<std::string> optimizers;
    std::vector<float> parameters, weight_decays, clipnorms, clipvalues;
    std::vector<int> counts;
    RECS_RETURN_IF_ERROR(context->GetAttr("optimizers", &optimizers));
    RECS_RETURN_IF_ERROR(context->GetAttr("parameters", &parameters));
    RECS_RETURN_IF_ERROR(context->GetAttr("parameter_counts", &counts));
    RECS_RETURN_IF_ERROR(context->GetAttr("weight_decays", &weight_decays));
    RECS_RETURN_IF_ERROR(context->GetAttr("clipnorms", &clipnorms));
    RECS_RETURN_IF_ERROR(context->GetAttr("clipvalues", &clipvalues));
    options_.resize(optimizers.size());
    for (size_t size :
         {counts.size(), weight_decays.size(), clipnorms.size(), clipvalues.size()}) {
      if (size != optimizers.size()) return WrongCounts();
    }
    auto next = parameters.begin();
    for (size_t t = 0; t < optimizers.size(); ++t) {
      if (counts[t] < 0 || counts[t] > parameters.end() - next) return WrongCounts();
      options_[t].optimizer.name = optimizers[t];
      options_[t].optimizer.parameters.assign(next, next + counts[t]);
      options_[t].optimizer.weight_decay = weight_decays[t];
      options_[t].clipnorm = clipnorms[t];
      options_[t].clipvalue = clipvalues[t];
      next += counts[t];
    }
    return next == parameters.end() ? absl::OkStatus() : WrongCounts();
  }

  static absl::Status WrongCounts() {
    return absl::InvalidArgumentError(
        "`optimizers`, `parameters`, `weight_decays`, `clipnorms` and `clipvalues` must be those of "
        "each table. Received: other counts (in a tables' commit).");
  }

  std::vector<CommitOptions> options_;
};

REGISTER_KERNEL_BUILDER(Name("RecsTablesCommit").Device(tensorflow::DEVICE_CPU), CommitKernel);

}  // namespace
}  // namespace recs
