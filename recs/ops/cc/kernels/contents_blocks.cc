// RecsTableContents, RecsTableAssign: keys and rows without slots, as Keras keeps weights in memory.
#include "kernels/state_kernel.h"
#include "kernels/tensor_blocks.h"

namespace recs {
namespace {

class ContentsKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    TensorSink sink;
    WriteOptions options;
    options.slots = false;
    RECS_RETURN_IF_ERROR(ToAbsl(WithTypedTable(base, [&](auto& table) {
      using K = typename std::decay_t<decltype(table)>::Key;
      return Snapshot<K>::Write(table, sink, options);
    })));
    return sink.Output(context, 0);
  }
};

class AssignKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    RECS_RETURN_IF_ERROR(CheckVector("blocks", context->input(1), type_string()));
    TensorSource source(context->input(1));
    TeamExecutor executor = DeviceThreads(context);
    return ToAbsl(WithTypedTable(base, [&](auto& table) {
      using K = typename std::decay_t<decltype(table)>::Key;
      return Snapshot<K>::Assign(source, &table, executor);
    }));
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableContents").Device(tensorflow::DEVICE_CPU), ContentsKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableAssign").Device(tensorflow::DEVICE_CPU), AssignKernel);

}  // namespace
}  // namespace recs
