// RecsTableRecent: the records of keys of a table of rings, without changing it.
#include "kernels/keyed_kernel.h"
#include "kernels/record_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

template <class K>
class RecentKernel final : public KeyedKernel<K> {
 public:
  explicit RecentKernel(tensorflow::OpKernelConstruction* context) : KeyedKernel<K>(context) {
    OP_REQUIRES_OK(context, context->GetAttr("capacity", &shape_.capacity));
    OP_REQUIRES_OK(context, context->GetAttr("width", &shape_.width));
  }

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    RingShape shape;
    RECS_RETURN_IF_ERROR(ShapeOfRings(table, &shape));
    if (shape.capacity != shape_.capacity || shape.width != shape_.width) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`capacity` and `width` must be the table's, ", shape.capacity, " and ", shape.width,
          ". Received: ", shape_.capacity, " and ", shape_.width, " (in table '",
          table.options().name, "')."));
    }
    std::optional<KeyTensor<K>> keys;
    RECS_RETURN_IF_ERROR(ReadKeys<K>(context, &keys));
    const int64_t n = keys->size();
    const bool* mask = nullptr;
    RECS_RETURN_IF_ERROR(MaskOf(context->input(2), n, &mask));
    Tensor *records = nullptr, *lengths = nullptr, *times = nullptr;
    RECS_RETURN_IF_ERROR(
        context->allocate_output(0, TensorShape({n, shape.capacity, shape.width}), &records));
    RECS_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({n}), &lengths));
    RECS_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({n, shape.capacity}), &times));
    TeamExecutor executor = DeviceThreads(context);
    RecordRings<K>::Recent(table, keys->data(), mask, n,
                           {records->flat<float>().data(), lengths->flat<int32_t>().data(),
                            times->flat<int64_t>().data()},
                           executor);
    return absl::OkStatus();
  }

 private:
  RingShape shape_;
};

RECS_REGISTER_KEYED("RecsTableRecent", RecentKernel);

}  // namespace
}  // namespace recs
