// RecsTableRecent: the records of keys of a table of rings, without changing it.
#include "kernels/record_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

template <class K>
class RecentKernel final : public TableKernel {
 public:
  explicit RecentKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("capacity", &shape_.capacity));
    OP_REQUIRES_OK(context, context->GetAttr("width", &shape_.width));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    Table<K>* table = nullptr;
    RECS_RETURN_IF_ERROR(TypedTable(base, &table));
    RingShape shape;
    RECS_RETURN_IF_ERROR(ShapeOfRings(base, &shape));
    if (shape.capacity != shape_.capacity || shape.width != shape_.width) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`capacity` and `width` must be the table's, ", shape.capacity, " and ", shape.width,
          ". Received: ", shape_.capacity, " and ", shape_.width, " (in table '",
          base.options().name, "')."));
    }
    const KeyTensor<K> keys(context->input(1));
    const int64_t n = keys.size();
    const bool* mask = nullptr;
    RECS_RETURN_IF_ERROR(MaskOf(context->input(2), n, &mask));
    Tensor *records = nullptr, *lengths = nullptr, *times = nullptr;
    RECS_RETURN_IF_ERROR(
        context->allocate_output(0, TensorShape({n, shape.capacity, shape.width}), &records));
    RECS_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({n}), &lengths));
    RECS_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({n, shape.capacity}), &times));
    TeamExecutor executor = DeviceThreads(context);
    RecordRings<K>::Recent(*table, keys.data(), mask, n,
                           {records->flat<float>().data(), lengths->flat<int32_t>().data(),
                            times->flat<int64_t>().data()},
                           executor);
    return absl::OkStatus();
  }

 private:
  RingShape shape_;
};

REGISTER_KERNEL_BUILDER(
    Name("RecsTableRecent").Device(tensorflow::DEVICE_CPU).TypeConstraint<int64_t>("K"),
    RecentKernel<int64_t>);
REGISTER_KERNEL_BUILDER(
    Name("RecsTableRecent").Device(tensorflow::DEVICE_CPU).TypeConstraint<tensorflow::tstring>("K"),
    RecentKernel<std::string_view>);

}  // namespace
}  // namespace recs
