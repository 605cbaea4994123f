// RecsTableFind: rows of keys without changing the table.
#include "kernels/table_kernel.h"

namespace recs {
namespace {

template <class K>
class FindKernel final : public TableKernel {
 public:
  explicit FindKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    std::string combiner;
    OP_REQUIRES_OK(context, context->GetAttr("combiner", &combiner));
    combiner_ = ParseCombiner(combiner);
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    Table<K>* table = nullptr;
    RECS_RETURN_IF_ERROR(TypedTable(base, &table));
    const KeyTensor<K> keys(context->input(1));
    const tensorflow::Tensor& mask_tensor = context->input(2);
    Segments batch;
    RECS_RETURN_IF_ERROR(
        DescribeBatch(combiner_, keys.size(), context->input(3), context->input(4), &batch));
    const bool* mask = nullptr;
    RECS_RETURN_IF_ERROR(MaskOf(mask_tensor, keys.size(), &mask));
    tensorflow::Tensor* output = nullptr;
    tensorflow::Tensor* found = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(
        0, tensorflow::TensorShape({batch.segments, table->dim()}), &output));
    const bool combined = combiner_ != Combiner::kNone;
    RECS_RETURN_IF_ERROR(context->allocate_output(
        1, tensorflow::TensorShape({combined ? 0 : keys.size()}), &found));
    DeviceExecutor executor(context);
    if (combined) {
      table->FindCombined(keys.data(), mask, batch, output->flat<float>().data(), executor);
    } else {
      table->Find(keys.data(), mask, keys.size(), output->flat<float>().data(),
                  found->flat<bool>().data(), executor);
    }
    return absl::OkStatus();
  }

 private:
  Combiner combiner_ = Combiner::kNone;
};

REGISTER_KERNEL_BUILDER(Name("RecsTableFind")
                            .Device(tensorflow::DEVICE_CPU)
                            .TypeConstraint<int64_t>("K"),
                        FindKernel<int64_t>);
REGISTER_KERNEL_BUILDER(Name("RecsTableFind")
                            .Device(tensorflow::DEVICE_CPU)
                            .TypeConstraint<tensorflow::tstring>("K"),
                        FindKernel<std::string_view>);

}  // namespace
}  // namespace recs
