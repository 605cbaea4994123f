// RecsCountHigher: how many candidates score higher than limits.
#include "scores/count_higher.h"

#include <new>
#include <vector>

#include "kernels/kernel_path.h"
#include "kernels/table_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;

class CountHigherKernel final : public tensorflow::OpKernel {
 public:
  explicit CountHigherKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, CheckKernelPath());
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    try {
      context->SetStatus(Run(context));
    } catch (const std::bad_alloc&) {
      context->SetStatus(OutOfMemory(name()));
    }
  }

 private:
  absl::Status Run(tensorflow::OpKernelContext* context) const {
    const Tensor &queries = context->input(0), &candidates = context->input(1);
    const Tensor& limits = context->input(2);
    const bool matrices = queries.dims() == 2 && candidates.dims() == 2 && limits.dims() == 2;
    if (!matrices || queries.dim_size(1) != candidates.dim_size(1) ||
        queries.dim_size(0) != limits.dim_size(0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`queries`, `candidates` and `limits` must be matrices, the first two of as many columns, "
          "and limits of as many rows as queries. Received: shapes ",
          queries.shape().DebugString(), ", ", candidates.shape().DebugString(), " and ",
          limits.shape().DebugString(), " (in ", name(), ")."));
    }
    scores::CountProblem problem;
    problem.queries = queries.flat<float>().data();
    problem.candidates = candidates.flat<float>().data();
    problem.rows = queries.dim_size(0);
    problem.columns = candidates.dim_size(0);
    problem.dim = queries.dim_size(1);
    problem.limits = limits.flat<double>().data();
    problem.limits_of_row = limits.dim_size(1);
    Tensor* counts = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, limits.shape(), &counts));
    TeamExecutor executor = DeviceThreads(context);
    scores::CountHigher(problem, scores::ActiveKernels(), executor, counts->flat<int64_t>().data());
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsCountHigher").Device(tensorflow::DEVICE_CPU), CountHigherKernel);

}  // namespace
}  // namespace recs
