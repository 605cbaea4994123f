// RecsTableUpsert, RecsTableRemove, RecsTableClear, RecsTableExport: rows by key, outside training.
// RecsTableDefaultRow: the row of keys that have none.
#include "kernels/keyed_kernel.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

template <class K>
class UpsertKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    std::optional<KeyTensor<K>> keys;
    RECS_RETURN_IF_ERROR(ReadKeys<K>(context, &keys));
    RECS_RETURN_IF_ERROR(CheckHoldsEmbeddings(table));
    const Tensor& rows = context->input(2);
    const int64_t n = keys->size();
    RECS_RETURN_IF_ERROR(
        CheckShape("rows", rows, TensorShape({n, table.dim()}),
                   absl::StrCat("upsert of table '", table.options().name, "'")));
    const float* data = rows.flat<float>().data();
    for (int64_t i = 0; i < n; ++i) {
      if (AllFinite(data + i * table.dim(), table.dim())) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "`rows` must be finite. Received: NaN or infinity in row ", i, " (in upsert of table '",
          table.options().name, "'). No row was changed."));
    }
    TeamExecutor executor = DeviceThreads(context);
    table.Upsert(keys->data(), data, n, executor);
    return absl::OkStatus();
  }
};

template <class K>
class RemoveKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    std::optional<KeyTensor<K>> keys;
    RECS_RETURN_IF_ERROR(ReadKeys<K>(context, &keys));
    TeamExecutor executor = DeviceThreads(context);
    Tensor* removed = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &removed));
    removed->scalar<int64_t>()() = table.Remove(keys->data(), keys->size(), executor);
    return absl::OkStatus();
  }
};

class ClearKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* /*context*/, TableBase& table) override {
    table.Clear();
    return absl::OkStatus();
  }
};

class DefaultRowKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    Tensor* row = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({table.dim()}), &row));
    table.DefaultRow(row->flat<float>().data());
    return absl::OkStatus();
  }
};

template <class K>
class ExportKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    std::vector<typename Table<K>::KeyOut> keys;
    std::vector<float> rows;
    table.Export(&keys, &rows);
    RECS_RETURN_IF_ERROR(OutputKeys<K>(context, 0, keys));
    const TensorShape shape({static_cast<int64_t>(keys.size()), table.dim()});
    Tensor* output = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(1, shape, &output));
    std::copy(rows.begin(), rows.end(), output->flat<float>().data());
    return absl::OkStatus();
  }
};

RECS_REGISTER_KEYED("RecsTableUpsert", UpsertKernel);
RECS_REGISTER_KEYED("RecsTableRemove", RemoveKernel);
RECS_REGISTER_KEYED("RecsTableExport", ExportKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableDefaultRow").Device(tensorflow::DEVICE_CPU),
                        DefaultRowKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableClear").Device(tensorflow::DEVICE_CPU), ClearKernel);

}  // namespace
}  // namespace recs
