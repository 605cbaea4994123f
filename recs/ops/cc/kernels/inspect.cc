// RecsTableStats: counts of a table. RecsTableStep: commits so far. RecsTableHeldApplies: applies
// since the last commit.
#include "kernels/table_kernel.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

class StatsKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    const TableBase::Counts counts = table.counts();
    // `recs/ops/table.py` names them, in this order.
    const int64_t values[] = {counts.rows,           counts.bytes,         counts.index_places,
                              counts.insertions,     counts.removals,      counts.refused_updates,
                              counts.stale_updates,  counts.discarded_passes, counts.step,
                              table.slots().vectors + table.slots().scalars,
                              counts.lookups,        counts.hits,
                              counts.training_lookups, counts.training_distinct,
                              counts.training_hits,  counts.updates,
                              counts.update_distinct, counts.last_distinct,
                              counts.evictions,      counts.unlogged_evictions,
                              counts.not_admitted,   counts.waiting,
                              counts.waiting_dropped};
    Tensor *values_tensor = nullptr, *optimizer = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(
        0, TensorShape({static_cast<int64_t>(std::size(values))}), &values_tensor));
    std::copy(std::begin(values), std::end(values),
              values_tensor->flat<int64_t>().data());
    RECS_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({}), &optimizer));
    optimizer->scalar<tensorflow::tstring>()() = table.optimizer();
    return absl::OkStatus();
  }
};

class StepKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    Tensor* step = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &step));
    step->scalar<int64_t>()() = table.step();
    return absl::OkStatus();
  }
};

class HeldAppliesKernel final : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) override {
    Tensor* held = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &held));
    held->scalar<int64_t>()() = table.pending().held_applies();
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("RecsTableStats").Device(tensorflow::DEVICE_CPU), StatsKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableStep").Device(tensorflow::DEVICE_CPU), StepKernel);
REGISTER_KERNEL_BUILDER(Name("RecsTableHeldApplies").Device(tensorflow::DEVICE_CPU),
                        HeldAppliesKernel);

}  // namespace
}  // namespace recs
