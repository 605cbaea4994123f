// RecsKernelPath: which instructions the kernels use.
#include "kernels/kernel_path.h"

namespace recs {
namespace {

class KernelPathKernel final : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    OP_REQUIRES_OK(context, CheckKernelPath());
    tensorflow::Tensor* path = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, tensorflow::TensorShape({}), &path));
    path->scalar<tensorflow::tstring>()() = NameOf(ActivePath());
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsKernelPath").Device(tensorflow::DEVICE_CPU), KernelPathKernel);

}  // namespace
}  // namespace recs
