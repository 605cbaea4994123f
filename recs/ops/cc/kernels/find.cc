// RecsTablesFind: rows of the ids of one or more features, without changing their tables.
#include "kernels/feature_inputs.h"
#include "table/table_group.h"

namespace recs {
namespace {

class FindKernel final : public TablesKernel {
 public:
  explicit FindKernel(tensorflow::OpKernelConstruction* context) : TablesKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  absl::Status Run(tensorflow::OpKernelContext* context,
                   const std::vector<TableBase*>& tables) override {
    RECS_RETURN_IF_ERROR(CheckHoldEmbeddings(tables));
    FeatureInputs features;
    RECS_RETURN_IF_ERROR(features.Read(context, attributes_));
    tensorflow::OpOutputList outputs, found;
    RECS_RETURN_IF_ERROR(context->output_list("outputs", &outputs));
    RECS_RETURN_IF_ERROR(context->output_list("found", &found));
    std::vector<Lookup> lookups;
    std::vector<int64_t> sizes;
    for (int f = 0; f < features.size(); ++f) {
      TableBase& table = *tables[attributes_.tables[f]];
      const Segments& batch = features[f].batch;
      RECS_RETURN_IF_ERROR(
          CheckFeature(table, features[f].keys->dtype(), attributes_.dims[f]));
      tensorflow::Tensor *output = nullptr, *known = nullptr;
      RECS_RETURN_IF_ERROR(outputs.allocate(
          f, tensorflow::TensorShape({batch.segments, table.dim()}), &output));
      const bool combined = batch.combiner != Combiner::kNone;
      RECS_RETURN_IF_ERROR(
          found.allocate(f, tensorflow::TensorShape({combined ? 0 : batch.positions}), &known));
      lookups.push_back({&table, nullptr, nullptr, output->flat<float>().data(),
                         combined ? nullptr : known->flat<bool>().data()});
      if (table.key_type() == KeyType::kInt64) {
        lookups.back().integers = features.Keys<int64_t>(f);
      } else {
        lookups.back().strings = features.Keys<std::string_view>(f);
      }
      sizes.push_back(batch.positions);
    }
    TeamExecutor all = DeviceThreads(context);
    ForEachTable(sizes, 150, all, [&](int f, Executor& executor) {
      const Lookup& lookup = lookups[f];
      if (lookup.table->key_type() == KeyType::kInt64) {
        Find(static_cast<const Table<int64_t>&>(*lookup.table), lookup.integers, features[f],
             lookup, executor);
      } else {
        Find(static_cast<const Table<std::string_view>&>(*lookup.table), lookup.strings,
             features[f], lookup, executor);
      }
    });
    return absl::OkStatus();
  }

 private:
  struct Lookup {
    TableBase* table;
    const int64_t* integers;  // the keys, of one of the two types
    const std::string_view* strings;
    float* output;
    bool* found;
  };

  template <class K>
  static void Find(const Table<K>& table, const K* keys, const FeatureInput& feature,
                   const Lookup& lookup, Executor& executor) {
    if (feature.batch.combiner == Combiner::kNone) {
      table.Find(keys, feature.mask, feature.batch.positions, lookup.output, lookup.found,
                 executor);
    } else {
      table.FindCombined(keys, feature.mask, feature.batch, lookup.output, executor);
    }
  }

  FeatureAttributes attributes_;
};

REGISTER_KERNEL_BUILDER(Name("RecsTablesFind").Device(tensorflow::DEVICE_CPU), FindKernel);

}  // namespace
}  // namespace recs
