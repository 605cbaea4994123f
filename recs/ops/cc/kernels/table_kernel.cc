#include "kernels/table_kernel.h"

#include <limits>

namespace recs {
namespace {

constexpr std::string_view kLookup = "a table's look-up";

}  // namespace

absl::Status OutOfMemory(std::string_view kernel) {
  return absl::ResourceExhaustedError(
      absl::StrCat("The table's rows must fit into memory. Received: a request that does not (in ",
                   kernel, "). Train on fewer ids, or on a smaller `output_dim`."));
}

void TablesKernel::Compute(tensorflow::OpKernelContext* context) {
  try {
    context->SetStatus(Checked(context));
  } catch (const std::bad_alloc&) {
    context->SetStatus(OutOfMemory(name()));
  }
}

absl::Status TablesKernel::Checked(tensorflow::OpKernelContext* context) {
  tensorflow::OpInputList handles;
  RECS_RETURN_IF_ERROR(context->input_list("tables", &handles));
  std::vector<tensorflow::core::RefCountPtr<TableResource>> resources(handles.size());
  std::vector<TableBase*> tables;
  for (int t = 0; t < handles.size(); ++t) {
    RECS_RETURN_IF_ERROR(ReadResource(context, "tables", handles[t], &resources[t]));
    tables.push_back(&resources[t]->table());
  }
  return Run(context, tables);
}

absl::Status CheckHoldsEmbeddings(const TableBase& table) {
  if (table.options().initializer.kind != InitializerKind::kRing) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "The table must hold embeddings. Received: a record table (in table '",
      table.options().name, "')."));
}

absl::Status CheckHoldEmbeddings(const std::vector<TableBase*>& tables) {
  for (const TableBase* table : tables) RECS_RETURN_IF_ERROR(CheckHoldsEmbeddings(*table));
  return absl::OkStatus();
}

absl::Status CheckPositions(int64_t n) {
  if (n <= std::numeric_limits<int32_t>::max()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "`keys` must have at most 2^31 - 1 elements. Received: ", n, " (in a table's look-up)."));
}

absl::Status DescribeBatch(Combiner combiner, int64_t n, const tensorflow::Tensor& splits,
                           const tensorflow::Tensor& weights, Segments* batch) {
  RECS_RETURN_IF_ERROR(CheckPositions(n));
  *batch = {};
  batch->combiner = combiner;
  batch->positions = n;
  batch->segments = n;
  RECS_RETURN_IF_ERROR(CheckVector("weights", weights, kLookup));
  RECS_RETURN_IF_ERROR(CheckVector("splits", splits, kLookup));
  if (weights.NumElements() != 0 && weights.NumElements() != n) {
    return absl::InvalidArgumentError(absl::StrCat("`weights` must have one value a key. Received: ",
                                                   weights.NumElements(), " weights for ", n,
                                                   " keys (in a table's look-up)."));
  }
  if (weights.NumElements() != 0) batch->weights = weights.flat<float>().data();
  if (combiner == Combiner::kNone) return absl::OkStatus();
  const int64_t marks = splits.NumElements();
  const auto* data = splits.flat<int64_t>().data();
  bool valid = marks >= 1 && data[0] == 0 && data[marks - 1] == n;
  for (int64_t s = 1; valid && s < marks; ++s) valid = data[s - 1] <= data[s];
  if (!valid) {
    return absl::InvalidArgumentError(
        absl::StrCat("`splits` must rise from 0 to the number of keys. Received: ", marks,
                     " splits for ", n, " keys (in a table's look-up)."));
  }
  batch->segments = marks - 1;
  batch->splits = data;
  return absl::OkStatus();
}

absl::Status MaskOf(const tensorflow::Tensor& tensor, int64_t n, const bool** mask) {
  *mask = nullptr;
  RECS_RETURN_IF_ERROR(CheckVector("mask", tensor, kLookup));
  if (tensor.NumElements() == 0) return absl::OkStatus();
  if (tensor.NumElements() != n) {
    return absl::InvalidArgumentError(absl::StrCat("`mask` must have one value a key. Received: ",
                                                   tensor.NumElements(), " values for ", n,
                                                   " keys (in a table's look-up)."));
  }
  *mask = tensor.flat<bool>().data();
  return absl::OkStatus();
}

}  // namespace recs
