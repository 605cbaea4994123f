// RecsTableEvict: a whole table is gone through now, by the rules of the op's attributes.
// RecsTableEvictedKeys: takes the keys that were evicted since it was asked last.
#include "kernels/keyed_kernel.h"
#include "kernels/policy_attrs.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

class EvictKernel final : public TableKernel {
 public:
  explicit EvictKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    OP_REQUIRES_OK(context, EvictionFromAttrs(context, &options_));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    Tensor* evicted = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &evicted));
    evicted->scalar<int64_t>()() = table.Evict(options_);
    return absl::OkStatus();
  }

 private:
  EvictionOptions options_;
};

template <class K>
class EvictedKeysKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    std::vector<typename Table<K>::KeyOut> keys;
    table.TakeEvictedKeys(&keys);
    return OutputKeys<K>(context, 0, keys);
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableEvict").Device(tensorflow::DEVICE_CPU), EvictKernel);
RECS_REGISTER_KEYED("RecsTableEvictedKeys", EvictedKeysKernel);

}  // namespace
}  // namespace recs
