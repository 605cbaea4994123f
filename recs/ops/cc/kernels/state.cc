// RecsTableRestore: a table's state from a file. RecsTableApply: what changed, likewise.
// RecsTableFollows: which state it stands at.
// RecsTableSerialize, RecsTableDeserialize: a state's blocks as a vector of strings.
#include "kernels/state_kernel.h"
#include "kernels/tensor_blocks.h"
#include "table/file_source.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

Status ReadState(BlockSource& source, TableBase& base, const ReadOptions& options,
                 Executor& executor) {
  return WithTypedTable(base, [&](auto& table) {
    using K = typename std::decay_t<decltype(table)>::Key;
    return Snapshot<K>::Read(source, &table, options, executor);
  });
}

class RestoreKernel final : public TableKernel {
 public:
  explicit RestoreKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("merge", &options_.merge));
    OP_REQUIRES_OK(context, context->GetAttr("slots", &options_.slots));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    std::string path;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "path", &path));
    FileSource source(path);
    RECS_RETURN_IF_ERROR(ToAbsl(source.Open()));
    TeamExecutor executor = DeviceThreads(context);
    return ToAbsl(ReadState(source, table, options_, executor));
  }

 private:
  ReadOptions options_;
};

class FollowsKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    Tensor* cursor = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &cursor));
    cursor->scalar<tensorflow::tstring>()() = table.follows().ToText();
    return absl::OkStatus();
  }
};

class ApplyKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    std::string path;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "path", &path));
    FileSource source(path);
    RECS_RETURN_IF_ERROR(ToAbsl(source.Open()));
    TeamExecutor executor = DeviceThreads(context);
    return ToAbsl(WithTypedTable(base, [&](auto& table) {
      using K = typename std::decay_t<decltype(table)>::Key;
      return Snapshot<K>::Apply(source, &table, executor);
    }));
  }
};

class SerializeKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    TensorSink sink;
    RECS_RETURN_IF_ERROR(ToAbsl(WithTypedTable(base, [&](auto& table) {
      using K = typename std::decay_t<decltype(table)>::Key;
      return Snapshot<K>::Write(table, sink);
    })));
    return sink.Output(context, 0);
  }
};

class DeserializeKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    RECS_RETURN_IF_ERROR(CheckVector("blocks", context->input(1), type_string()));
    TensorSource source(context->input(1));
    TeamExecutor executor = DeviceThreads(context);
    return ToAbsl(ReadState(source, table, {}, executor));
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableRestore").Device(tensorflow::DEVICE_CPU), RestoreKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableFollows").Device(tensorflow::DEVICE_CPU), FollowsKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableApply").Device(tensorflow::DEVICE_CPU), ApplyKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableSerialize").Device(tensorflow::DEVICE_CPU), SerializeKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableDeserialize").Device(tensorflow::DEVICE_CPU),
                        DeserializeKernel);

}  // namespace
}  // namespace recs
