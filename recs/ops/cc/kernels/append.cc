// RecsTableAppend: adds records to keys of a table of rings.
#include "kernels/keyed_kernel.h"
#include "kernels/record_kernel.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

using tensorflow::Tensor;

template <class K>
class AppendKernel final : public KeyedKernel<K> {
 public:
  using KeyedKernel<K>::KeyedKernel;

 protected:
  absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) override {
    RingShape shape;
    RECS_RETURN_IF_ERROR(ShapeOfRings(table, &shape));
    std::optional<KeyTensor<K>> keys;
    RECS_RETURN_IF_ERROR(ReadKeys<K>(context, &keys));
    const int64_t n = keys->size();
    const bool* mask = nullptr;
    RECS_RETURN_IF_ERROR(MaskOf(context->input(2), n, &mask));
    const Tensor& records = context->input(3);
    const Tensor& times = context->input(4);
    const tensorflow::TensorShape expected({n, shape.width});
    if (records.shape() != expected || times.shape() != tensorflow::TensorShape({n})) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`records` must have shape ", expected.DebugString(), " and `timestamps` shape [", n,
          "]. Received: ", records.shape().DebugString(), " and ", times.shape().DebugString(),
          " (in append to table '", table.options().name, "'). No record was added."));
    }
    const RecordBatch batch{records.flat<float>().data(), times.flat<int64_t>().data()};
    RECS_RETURN_IF_ERROR(CheckValues(batch, mask, n, shape, table));
    TeamExecutor executor = DeviceThreads(context);
    RecordRings<K>::Append(table, keys->data(), mask, n, batch, executor);
    return absl::OkStatus();
  }

 private:
  static absl::Status CheckValues(const RecordBatch& batch, const bool* mask, int64_t n,
                                  RingShape shape, const TableBase& table) {
    const auto refuse = [&](std::string_view rule, const auto&... received) {
      return absl::InvalidArgumentError(absl::StrCat(rule, ". Received: ", received..., " (in append",
                                                     " to table '", table.options().name,
                                                     "'). No record was added."));
    };
    for (int64_t p = 0; p < n; ++p) {
      if (mask != nullptr && !mask[p]) continue;
      if (!AllFinite(batch.records + p * shape.width, static_cast<int>(shape.width))) {
        return refuse("`records` must be finite", "NaN or infinity in record ", p);
      }
      if (batch.times[p] < 0 || batch.times[p] > 0xffffffffll) {
        return refuse("`timestamps` must be seconds from 0 to 2^32 - 1", batch.times[p],
                      " of record ", p);
      }
    }
    return absl::OkStatus();
  }
};

RECS_REGISTER_KEYED("RecsTableAppend", AppendKernel);

}  // namespace
}  // namespace recs
