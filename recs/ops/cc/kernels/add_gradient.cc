// RecsTableAddGradient: the backward pass of a look-up. Sums the gradient by distinct row and
// leaves it pending until the optimizer applies; the table's rows do not change here.
#include "kernels/table_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

class AddGradientKernel final : public TableKernel {
 public:
  explicit AddGradientKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    std::string combiner;
    OP_REQUIRES_OK(context, context->GetAttr("combiner", &combiner));
    combiner_ = ParseCombiner(combiner);
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    const Tensor& rows = context->input(1);
    const Tensor& inverse_tensor = context->input(2);
    const Tensor& weights = context->input(4);
    const Tensor& gradient = context->input(5);
    const Tensor& unique_rows = context->input(6);
    const Tensor& unique_gradient = context->input(7);
    const int64_t n = inverse_tensor.NumElements();
    const int64_t m = rows.NumElements();
    const int dim = table.dim();
    Segments batch;
    RECS_RETURN_IF_ERROR(DescribeBatch(combiner_, n, context->input(3), weights, &batch));
    const int32_t* inverse = inverse_tensor.flat<int32_t>().data();
    for (int64_t p = 0; p < n; ++p) {
      if (inverse[p] < -1 || inverse[p] >= m) {
        return absl::InvalidArgumentError("`inverse` must come from the look-up's own output.");
      }
    }
    RECS_RETURN_IF_ERROR(CheckRows("`gradient`", gradient, batch.segments, dim));
    const bool with_unique = unique_gradient.NumElements() > 0;
    if (with_unique) RECS_RETURN_IF_ERROR(CheckRows("`unique_gradient`", unique_gradient, m, dim));

    DeviceExecutor executor(context);
    RowGradients sums = table.pending().Reuse();
    const auto* handles = rows.flat<int64_t>().data();
    sums.rows.assign(handles, handles + m);
    sums.sums.resize(m * dim);
    const float* grad = gradient.flat<float>().data();
    const float* initial = with_unique ? unique_gradient.flat<float>().data() : nullptr;
    const int64_t not_finite =
        SumGradients(batch, grad, inverse, m, dim, initial, sums.sums.data(), executor);
    table.pending().Add(std::move(sums));

    Tensor *bad_rows = nullptr, *weights_gradient = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &bad_rows));
    bad_rows->scalar<int64_t>()() = not_finite;
    RECS_RETURN_IF_ERROR(context->allocate_output(1, weights.shape(), &weights_gradient));
    if (weights.NumElements() > 0) {
      RECS_RETURN_IF_ERROR(CheckRows("`unique_rows`", unique_rows, m, dim));
      WeightGradients(batch, grad, unique_rows.flat<float>().data(), inverse, dim,
                      weights_gradient->flat<float>().data(), executor);
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status CheckRows(const char* what, const Tensor& tensor, int64_t rows, int dim) {
    if (tensor.NumElements() == rows * dim) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(what, " must have shape [", rows, ", ", dim, "]. Received: ",
                     tensor.shape().DebugString(), " (in the backward pass of a look-up)."));
  }

  Combiner combiner_ = Combiner::kNone;
};

REGISTER_KERNEL_BUILDER(Name("RecsTableAddGradient").Device(tensorflow::DEVICE_CPU),
                        AddGradientKernel);

}  // namespace
}  // namespace recs
