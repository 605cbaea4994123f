// RecsSoftmaxLoss: losses of what queries chose among shared candidates, and their gradients.
#include "scores/softmax_loss.h"

#include <new>

#include "kernels/kernel_path.h"
#include "kernels/table_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

class SoftmaxLossKernel final : public tensorflow::OpKernel {
 public:
  explicit SoftmaxLossKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, CheckKernelPath());
    OP_REQUIRES_OK(context, context->GetAttr("with_gradient", &with_gradient_));
    OP_REQUIRES_OK(context, context->GetAttr("without_diagonal", &without_diagonal_));
    OP_REQUIRES_OK(context, context->GetAttr("lowest", &lowest_));
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
    scores::Problem problem;
    RECS_RETURN_IF_ERROR(Read(context, &problem));
    const TensorShape none({0});
    Tensor* outputs[5];
    const TensorShape shapes[] = {
        TensorShape({problem.rows}), TensorShape({problem.rows, problem.dim}),
        TensorShape({problem.columns, problem.dim}), TensorShape({problem.rows}),
        problem.bias == nullptr ? none : TensorShape({problem.columns})};
    for (int i = 0; i < 5; ++i) {
      const bool wanted = i == 0 || with_gradient_;
      RECS_RETURN_IF_ERROR(context->allocate_output(
          i, wanted ? shapes[i] : i == 1 || i == 2 ? TensorShape({0, 0}) : none, &outputs[i]));
    }
    scores::Solution solution;
    solution.losses = outputs[0]->flat<float>().data();
    if (with_gradient_) {
      solution.with_gradient = true;
      solution.d_queries = outputs[1]->flat<float>().data();
      solution.d_candidates = outputs[2]->flat<float>().data();
      solution.d_positives = outputs[3]->flat<float>().data();
      if (problem.positives == nullptr) outputs[3]->flat<float>().setZero();
      if (problem.bias != nullptr) solution.d_bias = outputs[4]->flat<float>().data();
    }
    TeamExecutor executor = DeviceThreads(context);
    scores::Solve(problem, scores::ActiveKernels(), executor, solution);
    return absl::OkStatus();
  }

  absl::Status Read(tensorflow::OpKernelContext* context, scores::Problem* problem) const {
    const Tensor &queries = context->input(0), &candidates = context->input(1);
    if (queries.dims() != 2 || candidates.dims() != 2 ||
        queries.dim_size(1) != candidates.dim_size(1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`queries` and `candidates` must be matrices of as many columns. Received: shapes ",
          queries.shape().DebugString(), " and ", candidates.shape().DebugString(), " (in ", name(),
          ")."));
    }
    problem->rows = queries.dim_size(0);
    problem->columns = candidates.dim_size(0);
    problem->dim = queries.dim_size(1);
    problem->queries = queries.flat<float>().data();
    problem->candidates = candidates.flat<float>().data();
    problem->without_diagonal = without_diagonal_;
    problem->lowest = lowest_;
    RECS_RETURN_IF_ERROR(Optional(context, 2, "bias", problem->columns, &problem->bias));
    RECS_RETURN_IF_ERROR(Optional(context, 3, "weights", problem->rows, &problem->weights));
    RECS_RETURN_IF_ERROR(Optional(context, 4, "positives", problem->rows, &problem->positives));
    RECS_RETURN_IF_ERROR(Optional(context, 5, "own_numbers", problem->rows, &problem->own_numbers));
    RECS_RETURN_IF_ERROR(Optional(context, 6, "numbers", problem->columns, &problem->numbers));
    if ((problem->own_numbers == nullptr) == (problem->numbers == nullptr)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("`own_numbers` and `numbers` must come together. Received: one of them (in ",
                     name(), ")."));
  }

  // An input that may be left out, by its attribute.
  template <class T>
  absl::Status Optional(tensorflow::OpKernelContext* context, int input, const char* what,
                        int64_t count, const T** data) const {
    const Tensor& tensor = context->input(input);
    if (tensor.dims() == 0) return absl::OkStatus();
    if (tensor.dims() != 1 || tensor.dim_size(0) != count) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`", what, "` must be a scalar, for none, or have ", count, " elements. Received: shape ",
          tensor.shape().DebugString(), " (in ", name(), ")."));
    }
    *data = tensor.flat<T>().data();
    return absl::OkStatus();
  }

  bool with_gradient_ = false, without_diagonal_ = false;
  float lowest_ = 0;
};

REGISTER_KERNEL_BUILDER(Name("RecsSoftmaxLoss").Device(tensorflow::DEVICE_CPU), SoftmaxLossKernel);

}  // namespace
}  // namespace recs
