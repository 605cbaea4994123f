// RecsTablesApply: an entry of a chain, taken over by all of its tables or by none.
#include <memory>
#include <string>
#include <vector>

#include "kernels/state_kernel.h"
#include "table/file_source.h"

namespace recs {
namespace {

using tensorflow::Tensor;

class ApplyAllKernel final : public TablesKernel {
 public:
  using TablesKernel::TablesKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context,
                   const std::vector<TableBase*>& tables) override {
    const auto count = static_cast<int64_t>(tables.size());
    const Tensor &paths = context->input(tables.size()), &base = context->input(tables.size() + 1);
    if (paths.dims() != 1 || paths.NumElements() != count || base.dims() != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`paths` must be one a table, and `base` a scalar. Received: shapes ",
          paths.shape().DebugString(), " and ", base.shape().DebugString(), " for ", count,
          " tables (in a chain's apply)."));
    }
    // Each file is read twice. Both readers are opened before anything is read, so that a file
    // that is removed from now on, as `compact` does, is still there for both.
    std::vector<std::unique_ptr<FileSource>> checked, applied;
    for (int64_t t = 0; t < count; ++t) {
      for (auto* sources : {&checked, &applied}) {
        sources->push_back(
            std::make_unique<FileSource>(std::string(paths.vec<tensorflow::tstring>()(t))));
        RECS_RETURN_IF_ERROR(ToAbsl(sources->back()->Open()));
      }
    }
    const bool whole = base.scalar<bool>()();
    TeamExecutor executor = DeviceThreads(context);
    for (int64_t t = 0; t < count; ++t) {
      RECS_RETURN_IF_ERROR(ToAbsl(WithTypedTable(*tables[t], [&](auto& table) {
        using K = typename std::decay_t<decltype(table)>::Key;
        return Snapshot<K>::Check(*checked[t], &table, whole, executor);
      })));
      checked[t].reset();
    }
    for (int64_t t = 0; t < count; ++t) {
      RECS_RETURN_IF_ERROR(ToAbsl(WithTypedTable(*tables[t], [&](auto& table) {
        using K = typename std::decay_t<decltype(table)>::Key;
        return whole ? Snapshot<K>::Read(*applied[t], &table, {}, executor)
                     : Snapshot<K>::Apply(*applied[t], &table, executor);
      })));
    }
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTablesApply").Device(tensorflow::DEVICE_CPU), ApplyAllKernel);

}  // namespace
}  // namespace recs
