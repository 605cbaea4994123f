// RecsTableCommit: updates every row that the step has a gradient for, once.
// RecsTableHold: with gradient accumulation, keeps the step's gradients for a later commit.
#include <cmath>

#include "kernels/table_kernel.h"
#include "tensorflow/core/platform/logging.h"

namespace recs {
namespace {

class CommitKernel final : public TableKernel {
 public:
  explicit CommitKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("optimizer", &options_.optimizer.name));
    OP_REQUIRES_OK(context, context->GetAttr("parameters", &options_.optimizer.parameters));
    OP_REQUIRES_OK(context, context->GetAttr("clipnorm", &options_.clipnorm));
    OP_REQUIRES_OK(context, context->GetAttr("clipvalue", &options_.clipvalue));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    CommitOptions options = options_;
    options.optimizer.learning_rate = context->input(1).scalar<float>()();
    options.optimizer.step = context->input(2).scalar<int64_t>()();
    const float scale = context->input(3).scalar<float>()();
    DeviceExecutor executor(context);
    CommitResult result;
    RECS_RETURN_IF_ERROR(
        ToAbsl(table.Commit(options, table.pending().Take(scale), executor, &result)));
    if (result.refused > 0) Report(table, result);
    tensorflow::Tensor* updated = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, tensorflow::TensorShape({}), &updated));
    updated->scalar<int64_t>()() = result.updated;
    return absl::OkStatus();
  }

 private:
  // At the first refusal and each time their number has doubled, so that a model that diverges
  // is heard and does not flood.
  static void Report(const TableBase& table, const CommitResult& result) {
    const int64_t all = table.counts().refused_updates;
    const int64_t before = all - result.refused;
    if (before > 0 && std::ilogb(double(all)) == std::ilogb(double(before))) return;
    LOG(WARNING) << "The gradient of a row must be finite. Received: NaN or infinity for "
                 << result.refused << " rows at step " << table.step() << " (in table '"
                 << table.options().name << "'). Their updates were refused, " << all
                 << " in all; look for a too high learning rate or a division by zero.";
  }

  CommitOptions options_;
};

class HoldKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    table.pending().Hold(context->input(1).scalar<float>()());
    tensorflow::Tensor* updated = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, tensorflow::TensorShape({}), &updated));
    updated->scalar<int64_t>()() = 0;
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableCommit").Device(tensorflow::DEVICE_CPU), CommitKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableHold").Device(tensorflow::DEVICE_CPU), HoldKernel);

}  // namespace
}  // namespace recs
