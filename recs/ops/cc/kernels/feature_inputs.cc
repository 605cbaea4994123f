#include "kernels/feature_inputs.h"

namespace recs {

absl::Status FeatureAttributes::Read(tensorflow::OpKernelConstruction* context) {
  std::vector<std::string> names;
  RECS_RETURN_IF_ERROR(context->GetAttr("combiners", &names));
  RECS_RETURN_IF_ERROR(context->GetAttr("feature_tables", &tables));
  for (const std::string& name : names) combiners.push_back(ParseCombiner(name));
  int count = 0, feature_count = 0;
  RECS_RETURN_IF_ERROR(context->GetAttr("T", &count));
  RECS_RETURN_IF_ERROR(context->GetAttr("F", &feature_count));
  if (features() != feature_count || combiners.size() != tables.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`combiners` and `feature_tables` must have one value a feature. Received: ",
        combiners.size(), " and ", tables.size(), " for ", feature_count,
        " features (in a look-up)."));
  }
  if (context->HasAttr("dims")) RECS_RETURN_IF_ERROR(context->GetAttr("dims", &dims));
  if (context->HasAttr("dims") && dims.size() != tables.size()) {
    return absl::InvalidArgumentError("`dims` must have one value a feature (in a look-up).");
  }
  for (int table : tables) {
    if (table >= 0 && table < count) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("`feature_tables` must be indices of tables. Received: ", table, " for ", count,
                     " tables (in a look-up)."));
  }
  return absl::OkStatus();
}

absl::Status FeatureInputs::Read(tensorflow::OpKernelContext* context,
                                 const FeatureAttributes& attributes) {
  tensorflow::OpInputList keys, masks, splits, weights;
  RECS_RETURN_IF_ERROR(context->input_list("keys", &keys));
  RECS_RETURN_IF_ERROR(context->input_list("masks", &masks));
  RECS_RETURN_IF_ERROR(context->input_list("splits", &splits));
  RECS_RETURN_IF_ERROR(context->input_list("weights", &weights));
  if (keys.size() != attributes.features()) {
    return absl::InvalidArgumentError(absl::StrCat("`keys` must be one tensor a feature. Received: ",
                                                   keys.size(), " for ", attributes.features(),
                                                   " features (in a look-up)."));
  }
  features_.resize(keys.size());
  for (int f = 0; f < keys.size(); ++f) {
    FeatureInput& feature = features_[f];
    feature.keys = &keys[f];
    RECS_RETURN_IF_ERROR(CheckVector("keys", keys[f], "a look-up"));
    const int64_t n = keys[f].NumElements();
    RECS_RETURN_IF_ERROR(
        DescribeBatch(attributes.combiners[f], n, splits[f], weights[f], &feature.batch));
    RECS_RETURN_IF_ERROR(MaskOf(masks[f], n, &feature.mask));
  }
  return absl::OkStatus();
}

absl::Status CheckFeature(const TableBase& table, tensorflow::DataType keys, int dim) {
  if (dim != table.dim()) {
    return absl::InvalidArgumentError(absl::StrCat("`dims` must be the lengths of tables' rows. Received: ",
                                                   dim, " for ", table.dim(), " (in table '",
                                                   table.options().name, "')."));
  }
  const bool integers = keys == tensorflow::DT_INT64;
  if (integers == (table.key_type() == KeyType::kInt64)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("`keys` must have the table's `key_dtype`. Received: ",
                   tensorflow::DataTypeString(keys), " keys (in table '", table.options().name,
                   "')."));
}

}  // namespace recs
