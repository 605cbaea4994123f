// RecsTableSave, RecsTableRestore: a table's state to and from a file.
// RecsTableSerialize, RecsTableDeserialize: the same blocks as a vector of strings.
#include "kernels/table_kernel.h"
#include "table/snapshot.h"
#include "table/snapshot_file.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

Status WriteSnapshot(TableBase& base, BlockSink& sink) {
  if (auto* table = dynamic_cast<Table<int64_t>*>(&base)) {
    return Snapshot<int64_t>::Write(*table, sink);
  }
  return Snapshot<std::string_view>::Write(static_cast<Table<std::string_view>&>(base), sink);
}

Status ReadSnapshot(BlockSource& source, TableBase& base) {
  if (auto* table = dynamic_cast<Table<int64_t>*>(&base)) {
    return Snapshot<int64_t>::Read(source, table);
  }
  return Snapshot<std::string_view>::Read(source, static_cast<Table<std::string_view>*>(&base));
}

class MemorySink final : public BlockSink {
 public:
  Status Append(std::string_view block) override {
    blocks.emplace_back(block.data(), block.size());
    return {};
  }
  std::vector<tensorflow::tstring> blocks;
};

class TensorSource final : public BlockSource {
 public:
  explicit TensorSource(const Tensor& blocks) : blocks_(blocks) {}
  Status Next(std::string_view* block, bool* end) override {
    *end = next_ == blocks_.NumElements();
    if (*end) return {};
    const tensorflow::tstring& bytes = blocks_.flat<tensorflow::tstring>()(next_++);
    *block = std::string_view(bytes.data(), bytes.size());
    return {};
  }
  Status Rewind() override {
    next_ = 0;
    return {};
  }
  std::string name() const override { return "saved weights"; }

 private:
  const Tensor& blocks_;
  int64_t next_ = 0;
};

class SaveKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    FileSink sink(std::string(context->input(1).scalar<tensorflow::tstring>()()));
    RECS_RETURN_IF_ERROR(ToAbsl(sink.Open()));
    RECS_RETURN_IF_ERROR(ToAbsl(WriteSnapshot(table, sink)));
    return ToAbsl(sink.Finish());
  }
};

class RestoreKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    FileSource source(std::string(context->input(1).scalar<tensorflow::tstring>()()));
    RECS_RETURN_IF_ERROR(ToAbsl(source.Open()));
    return ToAbsl(ReadSnapshot(source, table));
  }
};

class SerializeKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    MemorySink sink;
    RECS_RETURN_IF_ERROR(ToAbsl(WriteSnapshot(table, sink)));
    Tensor* blocks = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(
        0, TensorShape({static_cast<int64_t>(sink.blocks.size())}), &blocks));
    auto flat = blocks->flat<tensorflow::tstring>();
    for (size_t i = 0; i < sink.blocks.size(); ++i) flat(i) = std::move(sink.blocks[i]);
    return absl::OkStatus();
  }
};

class DeserializeKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    TensorSource source(context->input(1));
    return ToAbsl(ReadSnapshot(source, table));
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableSave").Device(tensorflow::DEVICE_CPU), SaveKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableRestore").Device(tensorflow::DEVICE_CPU), RestoreKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableSerialize").Device(tensorflow::DEVICE_CPU), SerializeKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableDeserialize").Device(tensorflow::DEVICE_CPU),
                        DeserializeKernel);

}  // namespace
}  // namespace recs
