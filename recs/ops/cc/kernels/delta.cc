// RecsTableDelta: what changed in a table since a cursor, as arrays; all of it since none.
#include "kernels/state_kernel.h"
#include "table/snapshot_changes.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

template <class K>
class DeltaKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) override {
    Table<K>* table = nullptr;
    RECS_RETURN_IF_ERROR(TypedTable(base, &table));
    Cursor since;
    RECS_RETURN_IF_ERROR(ParseCursor(TextOf(context->input(1)), &since));
    Changes<K> changes;
    RECS_RETURN_IF_ERROR(ToAbsl(ChangesSince(*table, since, &changes)));
    RECS_RETURN_IF_ERROR(PutKeys(context, 0, changes.keys));
    const auto n = static_cast<int64_t>(changes.keys.size());
    Tensor *rows = nullptr, *cursor = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({n, table->dim()}), &rows));
    std::copy(changes.rows.begin(), changes.rows.end(), rows->flat<float>().data());
    RECS_RETURN_IF_ERROR(PutKeys(context, 2, changes.removed));
    RECS_RETURN_IF_ERROR(context->allocate_output(3, TensorShape({}), &cursor));
    cursor->scalar<tensorflow::tstring>()() = changes.cursor.ToText();
    return absl::OkStatus();
  }

 private:
  static absl::Status PutKeys(tensorflow::OpKernelContext* context, int output,
                              const std::vector<typename Changes<K>::Key>& keys) {
    const auto n = static_cast<int64_t>(keys.size());
    Tensor* tensor = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(output, TensorShape({n}), &tensor));
    auto flat = tensor->flat<typename KeyTensor<K>::Element>();
    for (int64_t i = 0; i < n; ++i) flat(i) = keys[i];
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(
    Name("RecsTableDelta").Device(tensorflow::DEVICE_CPU).TypeConstraint<int64_t>("K"),
    DeltaKernel<int64_t>);
REGISTER_KERNEL_BUILDER(
    Name("RecsTableDelta").Device(tensorflow::DEVICE_CPU).TypeConstraint<tensorflow::tstring>("K"),
    DeltaKernel<std::string_view>);

}  // namespace
}  // namespace recs
