// RecsTablesAddGradient: the backward pass of a look-up. Sums the gradients by distinct row and
// leaves them pending until the optimizer applies; the tables' rows do not change here.
#include <atomic>

#include "kernels/feature_inputs.h"
#include "table/table_group.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

constexpr std::string_view kWhere = "the backward pass of a look-up";

absl::Status CheckRows(std::string_view what, const Tensor& tensor, int64_t rows, int dim) {
  return CheckShape(what, tensor, TensorShape({rows, dim}), kWhere);
}

// Handles come as a look-up gives them: grouped by their shards.
absl::Status CheckHandles(const Tensor& rows) {
  RECS_RETURN_IF_ERROR(CheckVector("rows", rows, kWhere));
  const auto handles = rows.flat<int64_t>();
  int last = 0;
  for (int64_t i = 0; i < rows.NumElements(); ++i) {
    const int shard = RowHandle::shard(handles(i));
    if (shard < last || shard >= kShards) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`rows` must come from the look-up's own output. Received: other numbers (in ", kWhere,
          ")."));
    }
    last = shard;
  }
  return absl::OkStatus();
}

class AddGradientKernel final : public TablesKernel {
 public:
  explicit AddGradientKernel(tensorflow::OpKernelConstruction* context) : TablesKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context,
                   const std::vector<TableBase*>& tables) override {
    RECS_RETURN_IF_ERROR(CheckHoldEmbeddings(tables));
    Inputs inputs;
    RECS_RETURN_IF_ERROR(inputs.Read(context));
    std::vector<OfTable> parts(tables.size());
    std::vector<int64_t> sizes;
    for (size_t t = 0; t < tables.size(); ++t) {
      RECS_RETURN_IF_ERROR(Describe(static_cast<int>(t), tables[t]->dim(), inputs, &parts[t]));
      sizes.push_back(inputs.inverse[t].NumElements());
    }
    tensorflow::OpOutputList weights_gradients;
    RECS_RETURN_IF_ERROR(context->output_list("weights_gradients", &weights_gradients));
    std::vector<float*> weight_gradients(attributes_.features(), nullptr);
    for (int f = 0; f < attributes_.features(); ++f) {
      Tensor* gradient = nullptr;
      RECS_RETURN_IF_ERROR(weights_gradients.allocate(f, inputs.weights[f].shape(), &gradient));
      if (gradient->NumElements() > 0) weight_gradients[f] = gradient->flat<float>().data();
    }
    TeamExecutor all = DeviceThreads(context);
    std::atomic<int64_t> not_finite{0};
    ForEachTable(sizes, 64, all, [&](int t, Executor& executor) {
      not_finite += Add(*tables[t], inputs.rows[t], parts[t], executor);
      for (size_t i = 0; i < parts[t].features.size(); ++i) {
        const int f = parts[t].features[i];
        if (weight_gradients[f] == nullptr) continue;
        const OutputGradient& output = parts[t].outputs[i];
        WeightGradients(output.batch, output.gradient, inputs.unique_rows[t].flat<float>().data(),
                        output.inverse, tables[t]->dim(), weight_gradients[f], executor);
      }
    });
    Tensor* bad_rows = nullptr;
    RECS_RETURN_IF_ERROR(context->allocate_output("bad_rows", TensorShape({}), &bad_rows));
    bad_rows->scalar<int64_t>()() = not_finite;
    return absl::OkStatus();
  }

 private:
  struct Inputs {
    tensorflow::OpInputList rows, inverse, splits, weights, gradients, unique_rows,
        unique_gradients;

    absl::Status Read(tensorflow::OpKernelContext* context) {
      RECS_RETURN_IF_ERROR(context->input_list("rows", &rows));
      RECS_RETURN_IF_ERROR(context->input_list("inverse", &inverse));
      RECS_RETURN_IF_ERROR(context->input_list("splits", &splits));
      RECS_RETURN_IF_ERROR(context->input_list("weights", &weights));
      RECS_RETURN_IF_ERROR(context->input_list("gradients", &gradients));
      RECS_RETURN_IF_ERROR(context->input_list("unique_rows", &unique_rows));
      return context->input_list("unique_gradients", &unique_gradients);
    }
  };
  struct OfTable {
    std::vector<int> features;
    std::vector<OutputGradient> outputs;
    const float* initial = nullptr;
  };

  // Which features table t has, and where each begins in its inverse.
  absl::Status Describe(int t, int dim, const Inputs& inputs, OfTable* part) const {
    const Tensor& inverse = inputs.inverse[t];
    RECS_RETURN_IF_ERROR(CheckHandles(inputs.rows[t]));
    RECS_RETURN_IF_ERROR(CheckVector("inverse", inverse, kWhere));
    const int64_t m = inputs.rows[t].NumElements();
    const int32_t* positions = inverse.flat<int32_t>().data();
    for (int64_t p = 0; p < inverse.NumElements(); ++p) {
      if (positions[p] >= -1 && positions[p] < m) continue;
      return absl::InvalidArgumentError(
          "`inverse` must come from the look-up's own output (in its backward pass).");
    }
    int64_t at = 0;
    for (int f = 0; f < attributes_.features(); ++f) {
      if (attributes_.tables[f] != t) continue;
      const Tensor& gradient = inputs.gradients[f];
      const Tensor& splits = inputs.splits[f];
      const bool combined = attributes_.combiners[f] != Combiner::kNone;
      if (combined && splits.NumElements() == 0) return NotOfTheLookup();
      if (gradient.dims() != 2) return NotOfTheLookup();
      const int64_t n = combined ? splits.flat<int64_t>()(splits.NumElements() - 1)
                                 : gradient.dim_size(0);
      if (n < 0 || at + n > inverse.NumElements()) return NotOfTheLookup();
      OutputGradient output;
      RECS_RETURN_IF_ERROR(
          DescribeBatch(attributes_.combiners[f], n, splits, inputs.weights[f], &output.batch));
      RECS_RETURN_IF_ERROR(CheckRows("gradients", gradient, output.batch.segments, dim));
      output.gradient = gradient.flat<float>().data();
      output.inverse = positions + at;
      if (inputs.weights[f].NumElements() > 0) {
        RECS_RETURN_IF_ERROR(CheckRows("unique_rows", inputs.unique_rows[t], m, dim));
      }
      part->features.push_back(f);
      part->outputs.push_back(output);
      at += n;
    }
    if (at != inverse.NumElements()) return NotOfTheLookup();
    const Tensor& initial = inputs.unique_gradients[t];
    if (initial.dims() == 2 && initial.dim_size(0) == 0) return absl::OkStatus();
    part->initial = initial.flat<float>().data();
    return CheckRows("unique_gradients", initial, m, dim);
  }

  static absl::Status NotOfTheLookup() {
    return absl::InvalidArgumentError(
        "`splits` and `gradient` must have the sizes of the look-up's own. Received: others (in its "
        "backward pass).");
  }

  // Leaves the sums pending; returns how many rows of them are not finite.
  static int64_t Add(TableBase& table, const Tensor& rows, const OfTable& part,
                     Executor& executor) {
    const int64_t m = rows.NumElements();
    RowGradients sums = table.pending().Reuse();
    const auto* handles = rows.flat<int64_t>().data();
    sums.rows.assign(handles, handles + m);
    sums.sums.resize(m * table.dim());
    const int64_t not_finite = SumGradients(part.outputs, m, table.dim(), part.initial,
                                            sums.sums.data(), executor);
    table.pending().Add(std::move(sums));
    return not_finite;
  }

  FeatureAttributes attributes_;
};

REGISTER_KERNEL_BUILDER(Name("RecsTablesAddGradient").Device(tensorflow::DEVICE_CPU),
                        AddGradientKernel);

}  // namespace
}  // namespace recs
