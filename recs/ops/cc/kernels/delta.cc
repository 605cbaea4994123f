// RecsTableDelta: what changed in a table since a cursor, as arrays; all of it since none.
#include "kernels/keyed_kernel.h"
#include "kernels/state_kernel.h"
#include "table/snapshot_changes.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

template <class K>
class DeltaKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    Cursor since;
    RECS_RETURN_IF_ERROR(ReadSince(context, &since));
    Changes<K> changes;
    RECS_RETURN_IF_ERROR(ToAbsl(ChangesSince(table, since, &changes)));
    RECS_RETURN_IF_ERROR(OutputKeys<K>(context, 0, changes.keys));
    const auto n = static_cast<int64_t>(changes.keys.size());
    Tensor *rows = nullptr, *cursor = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({n, table.dim()}), &rows));
    std::copy(changes.rows.begin(), changes.rows.end(), rows->flat<float>().data());
    RECS_RETURN_IF_ERROR(OutputKeys<K>(context, 2, changes.removed));
    RECS_RETURN_IF_ERROR(context->allocate_output(3, TensorShape({}), &cursor));
    cursor->scalar<tensorflow::tstring>()() = changes.cursor.ToText();
    return absl::OkStatus();
  }
};

RECS_REGISTER_KEYED("RecsTableDelta", DeltaKernel);

}  // namespace
}  // namespace recs
