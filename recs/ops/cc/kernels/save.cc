// RecsTableSave: a table's state, or what changed in it, into a file.
// RecsTableBeginSave, RecsTableFinishSave: the same in two ops. The first one takes the moment, so
// that the second one may run beside training.
#include <memory>
#include <utility>

#include "kernels/state_kernel.h"
#include "table/file_sink.h"
#include "table/scan.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

// A save under way: its file, and the scan of its table.
class RunningSave {
 public:
  virtual ~RunningSave() = default;
  // Opens the file before the table's moment, so that a path that cannot be written costs nothing.
  static absl::Status Begin(TableBase& base, const std::string& path, const WriteOptions& options,
                            std::unique_ptr<RunningSave>* save);
  virtual const SnapshotHeader& header() const = 0;
  virtual Status Write() = 0;
};

template <class K>
class TypedSave final : public RunningSave {
 public:
  explicit TypedSave(const std::string& path) : sink_(path) {}
  Status Begin(const Table<K>& table, const WriteOptions& options) {
    if (Status opened = sink_.Open(); !opened.ok()) return opened;
    return Scan<K>::Begin(table, options, &scan_);
  }
  const SnapshotHeader& header() const override { return scan_->header(); }
  Status Write() override {
    if (Status written = scan_->Write(sink_); !written.ok()) return written;
    return sink_.Finish();
  }

 private:
  FileSink sink_;
  std::unique_ptr<Scan<K>> scan_;
};

absl::Status RunningSave::Begin(TableBase& base, const std::string& path,
                                const WriteOptions& options, std::unique_ptr<RunningSave>* save) {
  return ToAbsl(WithTypedTable(base, [&](auto& table) {
    using K = typename std::decay_t<decltype(table)>::Key;
    auto typed = std::make_unique<TypedSave<K>>(path);
    Status began = typed->Begin(table, options);
    *save = std::move(typed);
    return began;
  }));
}

// The step and the cursor of the moment, as outputs from `first` on.
absl::Status PutMoment(tensorflow::OpKernelContext* context, int first,
                       const SnapshotHeader& header) {
  Tensor *step = nullptr, *cursor = nullptr;
  RECS_RETURN_IF_ERROR(context->allocate_output(first, TensorShape({}), &step));
  RECS_RETURN_IF_ERROR(context->allocate_output(first + 1, TensorShape({}), &cursor));
  step->scalar<int64_t>()() = header.step;
  const bool has_cursor = header.kind != SnapshotKind::kState;
  cursor->scalar<tensorflow::tstring>()() = has_cursor ? header.cursor.ToText() : std::string();
  return absl::OkStatus();
}

class SaveKernel final : public TableKernel {
 public:
  explicit SaveKernel(tensorflow::OpKernelConstruction* context) : TableKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    WriteOptions options;
    std::string path;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "path", &path));
    RECS_RETURN_IF_ERROR(attributes_.Options(context, &options));
    std::unique_ptr<RunningSave> save;
    RECS_RETURN_IF_ERROR(RunningSave::Begin(table, path, options, &save));
    RECS_RETURN_IF_ERROR(PutMoment(context, 0, save->header()));
    return ToAbsl(save->Write());
  }

 private:
  SaveAttributes attributes_;
};

// Keeps its table alive. Given up before it has written, it leaves nothing behind.
class SaveResource final : public tensorflow::ResourceBase {
 public:
  SaveResource(tensorflow::core::RefCountPtr<TableResource> table,
               std::unique_ptr<RunningSave> save)
      : table_(std::move(table)), save_(std::move(save)) {}
  std::string DebugString() const override { return "recs save"; }
  // Null when somebody else has taken it.
  std::unique_ptr<RunningSave> Take() {
    std::lock_guard<std::mutex> hold(mutex_);
    return std::move(save_);
  }

 private:
  std::mutex mutex_;
  tensorflow::core::RefCountPtr<TableResource> table_;
  std::unique_ptr<RunningSave> save_;  // behind the table, which it needs to the end
};

class BeginSaveKernel final : public tensorflow::OpKernel {
 public:
  explicit BeginSaveKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }
  void Compute(tensorflow::OpKernelContext* context) override {
    try {
      context->SetStatus(Run(context));
    } catch (const std::bad_alloc&) {
      context->SetStatus(OutOfMemory(name()));
    }
  }

 private:
  absl::Status Run(tensorflow::OpKernelContext* context) {
    tensorflow::core::RefCountPtr<TableResource> table;
    RECS_RETURN_IF_ERROR(ReadResource(context, "table", context->input(0), &table));
    WriteOptions options;
    std::string path;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "path", &path));
    RECS_RETURN_IF_ERROR(attributes_.Options(context, &options));
    std::unique_ptr<RunningSave> save;
    RECS_RETURN_IF_ERROR(RunningSave::Begin(table->table(), path, options, &save));
    RECS_RETURN_IF_ERROR(PutMoment(context, 1, save->header()));
    Tensor* handle = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &handle));
    handle->scalar<tensorflow::ResourceHandle>()() =
        tensorflow::ResourceHandle::MakeRefCountingHandle(
            new SaveResource(std::move(table), std::move(save)), context->device()->name());
    return absl::OkStatus();
  }

  SaveAttributes attributes_;
};

class FinishSaveKernel final : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(tensorflow::OpKernelContext* context) override {
    try {
      context->SetStatus(Run(context));
    } catch (const std::bad_alloc&) {
      context->SetStatus(OutOfMemory(name()));
    }
  }

 private:
  static absl::Status Run(tensorflow::OpKernelContext* context) {
    tensorflow::core::RefCountPtr<SaveResource> resource;
    RECS_RETURN_IF_ERROR(ReadResource(context, "save", context->input(0), &resource));
    const std::unique_ptr<RunningSave> save = resource->Take();
    if (save != nullptr) return ToAbsl(save->Write());
    return absl::FailedPreconditionError(
        "A save must be finished once. Received: one that is finished (in a table's save).");
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableSave").Device(tensorflow::DEVICE_CPU), SaveKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableBeginSave").Device(tensorflow::DEVICE_CPU),
                        BeginSaveKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableFinishSave").Device(tensorflow::DEVICE_CPU),
                        FinishSaveKernel);

}  // namespace
}  // namespace recs
