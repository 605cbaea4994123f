// RecsTable: makes a table and returns the only handle to it. The table lives as long as a handle.
//
// A session runs the node anew with every request. There the table of `shared_name` is made once
// and lives as long as the session.
#include "kernels/kernel_path.h"
#include "kernels/policy_attrs.h"
#include "kernels/record_kernel.h"

namespace recs {
namespace {

class CreateKernel : public tensorflow::OpKernel {
 public:
  explicit CreateKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    int kind = 0;
    int64_t seed = 0;
    OP_REQUIRES_OK(context, CheckKernelPath());
    OP_REQUIRES_OK(context, context->GetAttr("key_dtype", &key_dtype_));
    OP_REQUIRES_OK(context, context->GetAttr("dim", &options_.dim));
    OP_REQUIRES_OK(context, context->GetAttr("initializer", &kind));
    OP_REQUIRES_OK(context, context->GetAttr("initializer_a", &options_.initializer.a));
    OP_REQUIRES_OK(context, context->GetAttr("initializer_b", &options_.initializer.b));
    OP_REQUIRES_OK(context, context->GetAttr("seed", &seed));
    OP_REQUIRES_OK(context, context->GetAttr("default_value", &options_.default_value));
    OP_REQUIRES_OK(context, context->GetAttr("mean_default", &options_.mean_default));
    OP_REQUIRES_OK(context, context->GetAttr("table_name", &options_.name));
    OP_REQUIRES_OK(context, context->GetAttr("shared_name", &shared_name_));
    OP_REQUIRES(context, kind >= 0 && kind <= static_cast<int>(kLastInitializerKind),
                absl::InvalidArgumentError(absl::StrCat(
                    "`initializer` must be a kind from 0 to 5. Received: ", kind, " (in RecsTable).")));
    std::string storage;
    OP_REQUIRES_OK(context, context->GetAttr("storage", &storage));
    if (storage == "bfloat16") options_.storage = Storage::kBfloat16;
    if (storage == "float16") options_.storage = Storage::kFloat16;
    OP_REQUIRES_OK(context, AdmissionFromAttrs(context, &options_.admission));
    OP_REQUIRES_OK(context, EvictionFromAttrs(context, &options_.eviction));
    options_.initializer.kind = static_cast<InitializerKind>(kind);
    options_.initializer.seed = static_cast<uint64_t>(seed);
    if (options_.initializer.kind == InitializerKind::kRing) {
      const RingShape ring = RingShape::Of(options_.initializer);
      OP_REQUIRES(context,
                  ring.capacity >= 1 && ring.width >= 1 && ring.words() == options_.dim &&
                      options_.storage == Storage::kFloat32,
                  absl::InvalidArgumentError(absl::StrCat(
                      "`dim` of a record table must be that of its rings, ", ring.words(),
                      " float32. Received: ", options_.dim, " (in RecsTable).")));
    }
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    try {
      context->SetStatus(Create(context));
    } catch (const std::bad_alloc&) {
      context->SetStatus(absl::ResourceExhaustedError("No memory for an empty table."));
    }
  }

 private:
  absl::Status Create(tensorflow::OpKernelContext* context) {
    tensorflow::Tensor* handle = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, tensorflow::TensorShape({}), &handle));
    const tensorflow::Tensor& initial_rows = context->input(0);
    if (initial_rows.dims() != 2 || initial_rows.dim_size(1) != options_.dim) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`initial_rows` must have shape [rows, ", options_.dim, "]. Received: ",
          initial_rows.shape().DebugString(), " (in RecsTable)."));
    }
    if (const int64_t bytes = options_.eviction.max_bytes;
        bytes > 0 && options_.admission.kind == AdmissionKind::kCountingBloom) {
      if (const int64_t counters = NewTable(initial_rows)->filter_bytes(); counters >= bytes) {
        return absl::InvalidArgumentError(absl::StrCat(
            "`max_bytes` must be above what the counters of `admission` take, ", counters,
            " bytes. Received: max_bytes=", bytes, " (in table '", options_.name,
            "'). Give a smaller `capacity`, or more bytes."));
      }
    }
    auto& resource_handle = handle->scalar<tensorflow::ResourceHandle>()();
    const bool in_session = context->session_state() != nullptr;
    if (shared_name_.empty() || !in_session) {
      resource_handle = tensorflow::ResourceHandle::MakeRefCountingHandle(
          new TableResource(NewTable(initial_rows)), context->device()->name());
      return absl::OkStatus();
    }
    tensorflow::ResourceMgr* manager = context->resource_manager();
    TableResource* resource = nullptr;
    RECS_RETURN_IF_ERROR(manager->LookupOrCreate<TableResource>(
        manager->default_container(), shared_name_, &resource, [&](TableResource** made) {
          *made = new TableResource(NewTable(initial_rows));
          return absl::OkStatus();
        }));
    resource->Unref();
    resource_handle = tensorflow::MakeResourceHandle<TableResource>(
        context, manager->default_container(), shared_name_);
    return absl::OkStatus();
  }

  std::unique_ptr<TableBase> NewTable(const tensorflow::Tensor& initial_rows) const {
    TableOptions options = options_;
    if (initial_rows.NumElements() > 0) {
      const float* rows = initial_rows.flat<float>().data();
      options.initializer.block = std::make_shared<const std::vector<float>>(
          rows, rows + initial_rows.NumElements());
    }
    if (key_dtype_ == tensorflow::DT_INT64) return std::make_unique<Table<int64_t>>(options);
    return std::make_unique<Table<std::string_view>>(options);
  }

  tensorflow::DataType key_dtype_ = tensorflow::DT_INT64;
  TableOptions options_;
  std::string shared_name_;
};

REGISTER_KERNEL_BUILDER(Name("RecsTable").Device(tensorflow::DEVICE_CPU), CreateKernel);

}  // namespace
}  // namespace recs
