// RecsTablesFindOrInsert: training's look-up of one or more features. New keys get their initial
// row, which is stored.
#include <algorithm>
#include <chrono>

#include "kernels/feature_inputs.h"
#include "table/table_group.h"
#include "table/training_lookup.h"

namespace recs {
namespace {

using tensorflow::Tensor;
using tensorflow::TensorShape;

uint32_t SecondsNow() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

class FindOrInsertKernel final : public TablesKernel {
 public:
  explicit FindOrInsertKernel(tensorflow::OpKernelConstruction* context) : TablesKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
    OP_REQUIRES_OK(context, context->GetAttr("emit_unique_rows", &emit_unique_rows_));
    OP_REQUIRES_OK(context, context->GetAttr("emit_known", &emit_known_));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context,
                   const std::vector<TableBase*>& tables) override {
    RECS_RETURN_IF_ERROR(CheckHoldEmbeddings(tables));
    FeatureInputs features;
    RECS_RETURN_IF_ERROR(features.Read(context, attributes_));
    tensorflow::OpOutputList outputs, rows, inverse, unique_rows, known;
    RECS_RETURN_IF_ERROR(context->output_list("outputs", &outputs));
    RECS_RETURN_IF_ERROR(context->output_list("rows", &rows));
    RECS_RETURN_IF_ERROR(context->output_list("inverse", &inverse));
    RECS_RETURN_IF_ERROR(context->output_list("unique_rows", &unique_rows));
    RECS_RETURN_IF_ERROR(context->output_list("known", &known));
    int64_t given = 0;
    RECS_RETURN_IF_ERROR(ReadScalar(context, "time", &given));
    if (given < -1 || given > 0xffffffff) {
      return absl::InvalidArgumentError(absl::StrCat(
          "`timestamps` must be seconds since 1970, from 1 to 2^32 - 1. Received: ", given,
          " (in a look-up of table '", tables[0]->options().name, "'). Divide milliseconds by 1000."));
    }
    // 0 stands for the clock's time, -1 for none.
    const uint32_t time = given == 0 ? SecondsNow() : static_cast<uint32_t>(std::max<int64_t>(given, 0));

    std::vector<OfTable> lookups(tables.size());
    std::vector<int64_t> sizes;
    for (size_t t = 0; t < tables.size(); ++t) {
      RECS_RETURN_IF_ERROR(Describe(static_cast<int>(t), *tables[t], features, &outputs, &lookups[t]));
      const int64_t n = lookups[t].lookup->positions();
      Tensor* positions = nullptr;
      RECS_RETURN_IF_ERROR(inverse.allocate(static_cast<int>(t), TensorShape({n}), &positions));
      lookups[t].inverse = positions->flat<int32_t>().data();
      sizes.push_back(n);
      tables[t]->pending().BeginForward();
    }
    TeamExecutor all = DeviceThreads(context);
    ForEachTable(sizes, 40, all, [&](int t, Executor& executor) {
      lookups[t].lookup->Number(lookups[t].inverse, executor);
    });
    for (size_t t = 0; t < tables.size(); ++t) {
      RECS_RETURN_IF_ERROR(AllocateRows(context, static_cast<int>(t), tables[t]->dim(), &rows,
                                        &unique_rows, &lookups[t]));
    }
    ForEachTable(sizes, 200, all, [&](int t, Executor& executor) {
      const OfTable& one = lookups[t];
      one.lookup->Run(time, one.inverse, one.handles, one.rows, executor);
    });
    return WriteKnown(features, lookups, &known);
  }

 private:
  struct OfTable {
    std::unique_ptr<TrainingLookupBase> lookup;
    int32_t* inverse = nullptr;
    int64_t* handles = nullptr;
    float* rows = nullptr;  // (distinct, dim), null when nobody asks for them
    Tensor scratch;
  };

  // The look-up of table t's features; allocates their outputs.
  absl::Status Describe(int t, TableBase& table, FeatureInputs& features,
                        tensorflow::OpOutputList* outputs, OfTable* one) {
    if (table.key_type() == KeyType::kInt64) {
      return DescribeTyped<int64_t>(t, table, features, outputs, one);
    }
    return DescribeTyped<std::string_view>(t, table, features, outputs, one);
  }

  template <class K>
  absl::Status DescribeTyped(int t, TableBase& table, FeatureInputs& features,
                             tensorflow::OpOutputList* outputs, OfTable* one) {
    std::vector<Feature<K>> parts;
    int64_t positions = 0;
    for (int f = 0; f < features.size(); ++f) {
      if (attributes_.tables[f] != t) continue;
      const FeatureInput& feature = features[f];
      RECS_RETURN_IF_ERROR(
          CheckFeature(table, feature.keys->dtype(), attributes_.dims[f]));
      Tensor* output = nullptr;
      RECS_RETURN_IF_ERROR(
          outputs->allocate(f, TensorShape({feature.batch.segments, table.dim()}), &output));
      parts.push_back({features.Keys<K>(f), feature.mask, feature.batch,
                       output->flat<float>().data()});
      positions += feature.batch.positions;
    }
    RECS_RETURN_IF_ERROR(CheckPositions(positions));
    if (parts.empty()) {
      return absl::InvalidArgumentError("Every table must have a feature (in a look-up).");
    }
    one->lookup =
        std::make_unique<TrainingLookup<K>>(static_cast<Table<K>&>(table), std::move(parts));
    return absl::OkStatus();
  }

  // The distinct rows, as an output when they are asked for and as scratch when they are needed.
  absl::Status AllocateRows(tensorflow::OpKernelContext* context, int t, int dim,
                            tensorflow::OpOutputList* rows, tensorflow::OpOutputList* unique_rows,
                            OfTable* one) {
    const int64_t m = one->lookup->distinct();
    Tensor *handles = nullptr, *distinct = nullptr;
    RECS_RETURN_IF_ERROR(rows->allocate(t, TensorShape({m}), &handles));
    one->handles = handles->flat<int64_t>().data();
    RECS_RETURN_IF_ERROR(
        unique_rows->allocate(t, TensorShape({emit_unique_rows_ ? m : 0, dim}), &distinct));
    if (emit_unique_rows_) {
      one->rows = distinct->flat<float>().data();
    } else if (one->lookup->needs_rows()) {
      RECS_RETURN_IF_ERROR(
          context->allocate_temp(tensorflow::DT_FLOAT, TensorShape({m, dim}), &one->scratch));
      one->rows = one->scratch.flat<float>().data();
    }
    return absl::OkStatus();
  }

  // Whether the id of each position has a row now, for features without a combiner.
  absl::Status WriteKnown(const FeatureInputs& features, const std::vector<OfTable>& lookups,
                          tensorflow::OpOutputList* known) const {
    std::vector<int64_t> begin(lookups.size(), 0);
    for (int f = 0; f < features.size(); ++f) {
      const Segments& batch = features[f].batch;
      const bool asked = emit_known_ && batch.combiner == Combiner::kNone;
      const int64_t n = asked ? batch.positions : 0;
      Tensor* output = nullptr;
      RECS_RETURN_IF_ERROR(known->allocate(f, TensorShape({n}), &output));
      const OfTable& one = lookups[attributes_.tables[f]];
      const int32_t* inverse = one.inverse + begin[attributes_.tables[f]];
      bool* has_row = output->flat<bool>().data();
      for (int64_t p = 0; p < n; ++p) {
        has_row[p] = inverse[p] >= 0 && !RowHandle::IsNone(one.handles[inverse[p]]);
      }
      begin[attributes_.tables[f]] += batch.positions;
    }
    return absl::OkStatus();
  }

  FeatureAttributes attributes_;
  bool emit_unique_rows_ = false;
  bool emit_known_ = false;
};

REGISTER_KERNEL_BUILDER(Name("RecsTablesFindOrInsert").Device(tensorflow::DEVICE_CPU),
                        FindOrInsertKernel);

}  // namespace
}  // namespace recs
