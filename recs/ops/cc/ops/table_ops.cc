// The ops of tables: names, inputs, outputs and shapes. Kernels are in kernels/, one verb a file.
//
// Ops named RecsTables... take a list of T tables and of F features, each feature of one table, so
// that a step has one op each way, however many features there are.
#include <string>
#include <vector>

#include "ops/input_ranks.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// The sizes of an op's lists; inputs and outputs are numbered through all of them.
struct ListSizes {
  int tables = 0;
  int features = 0;
  absl::Status Read(InferenceContext* c) {
    std::vector<std::string> combiners;
    if (absl::Status got = c->GetAttr("combiners", &combiners); !got.ok()) return got;
    if (absl::Status got = c->GetAttr("F", &features); !got.ok()) return got;
    if (static_cast<int>(combiners.size()) != features) {
      return absl::InvalidArgumentError("`combiners` must have one value a feature (in a look-up).");
    }
    return c->GetAttr("T", &tables);
  }
};

// (keys, dim) without a combiner, (segments, dim) with one. Inputs are the tables and then, a
// feature, keys, masks, splits and weights; `others` follow.
absl::Status OutputShapes(InferenceContext* c, const ListSizes& sizes, int others) {
  if (c->num_inputs() != sizes.tables + 4 * sizes.features + others) {
    return absl::InvalidArgumentError("`keys` must be one tensor a feature (in a look-up).");
  }
  if (absl::Status got = CheckRanks(c, 0, sizes.tables, 0); !got.ok()) return got;
  if (absl::Status got = CheckRanks(c, sizes.tables, 4 * sizes.features, 1); !got.ok()) return got;
  std::vector<int> dims;
  std::vector<std::string> combiners;
  if (absl::Status got = c->GetAttr("dims", &dims); !got.ok()) return got;
  if (absl::Status got = c->GetAttr("combiners", &combiners); !got.ok()) return got;
  if (static_cast<int>(dims.size()) != sizes.features) {
    return absl::InvalidArgumentError("`dims` must have one value a feature (in a look-up).");
  }
  for (int f = 0; f < sizes.features; ++f) {
    const ShapeHandle keys = c->input(sizes.tables + f);
    const ShapeHandle splits = c->input(sizes.tables + 2 * sizes.features + f);
    tensorflow::shape_inference::DimensionHandle rows = c->UnknownDim();
    if (combiners[f] == "none") {
      rows = c->Dim(keys, 0);
    } else if (c->ValueKnown(c->Dim(splits, 0))) {
      if (absl::Status got = c->Subtract(c->Dim(splits, 0), 1, &rows); !got.ok()) return got;
    }
    c->set_output(f, c->Matrix(rows, dims[f]));
  }
  return absl::OkStatus();
}

absl::Status FindShapes(InferenceContext* c) {
  ListSizes sizes;
  if (absl::Status got = sizes.Read(c); !got.ok()) return got;
  if (absl::Status got = OutputShapes(c, sizes, 0); !got.ok()) return got;
  for (int f = 0; f < sizes.features; ++f) {
    c->set_output(sizes.features + f, c->Vector(c->UnknownDim()));
  }
  return absl::OkStatus();
}

absl::Status FindOrInsertShapes(InferenceContext* c) {
  ListSizes sizes;
  if (absl::Status got = sizes.Read(c); !got.ok()) return got;
  if (absl::Status got = OutputShapes(c, sizes, 1); !got.ok()) return got;
  if (absl::Status got = CheckRanks(c, c->num_inputs() - 1, 1, 0); !got.ok()) return got;
  int at = sizes.features;
  for (int i = 0; i < 2 * sizes.tables; ++i) c->set_output(at++, c->Vector(c->UnknownDim()));
  for (int t = 0; t < sizes.tables; ++t) {
    c->set_output(at++, c->Matrix(c->UnknownDim(), c->UnknownDim()));
  }
  for (int f = 0; f < sizes.features; ++f) c->set_output(at++, c->Vector(c->UnknownDim()));
  return absl::OkStatus();
}

absl::Status AddGradientShapes(InferenceContext* c) {
  ListSizes sizes;
  if (absl::Status got = sizes.Read(c); !got.ok()) return got;
  // Of each table its handle, rows and inverse; of each feature splits and weights, then gradients;
  // of each table two matrices.
  const int tables = sizes.tables, features = sizes.features;
  const struct {
    int count, rank;
  } inputs[] = {{tables, 0}, {2 * tables + 2 * features, 1}, {features + 2 * tables, 2}};
  int at = 0;
  for (const auto& some : inputs) {
    if (absl::Status got = CheckRanks(c, at, some.count, some.rank); !got.ok()) return got;
    at += some.count;
  }
  c->set_output(0, c->Scalar());
  for (int f = 0; f < sizes.features; ++f) {
    c->set_output(1 + f, c->input(3 * sizes.tables + sizes.features + f));
  }
  return absl::OkStatus();
}

absl::Status ExportShapes(InferenceContext* c) {
  c->set_output(0, c->Vector(c->UnknownDim()));
  c->set_output(1, c->Matrix(c->UnknownDim(), c->UnknownDim()));
  return absl::OkStatus();
}

absl::Status ScalarShapes(InferenceContext* c) {
  for (int i = 0; i < c->num_outputs(); ++i) c->set_output(i, c->Scalar());
  return absl::OkStatus();
}

// All inputs are scalars, one a table.
absl::Status CommitShapes(InferenceContext* c) {
  if (absl::Status got = CheckRanks(c, 0, c->num_inputs(), 0); !got.ok()) return got;
  return ScalarShapes(c);
}

absl::Status StatsShapes(InferenceContext* c) {
  c->set_output(0, c->Vector(c->UnknownDim()));
  c->set_output(1, c->Scalar());
  return absl::OkStatus();
}

REGISTER_OP("RecsTable")
    .Attr("key_dtype: {int64, string}")
    .Attr("dim: int >= 1")
    .Attr("initializer: int = 0")
    .Attr("initializer_a: float = 0.0")
    .Attr("initializer_b: float = 0.0")
    .Attr("seed: int = 0")
    .Attr("default_value: float = 0.0")
    .Attr("mean_default: bool = false")
    .Attr("storage: {'float32', 'bfloat16', 'float16'} = 'float32'")
    .Attr("table_name: string = ''")
    .Attr("shared_name: string = ''")
    .Attr("admission: {'everything', 'minimum_count', 'counting_bloom_filter', 'probability'} = "
          "'everything'")
    .Attr("admission_count: int = 0")
    .Attr("admission_capacity: int = 0")
    .Attr("admission_rate: float = 0.0")
    .Attr("steps_to_live: int = 0")
    .Attr("seconds_to_live: int = 0")
    .Attr("minimum_norm: float = 0.0")
    .Attr("minimum_norm_steps: int = 0")
    .Attr("max_rows: int = 0")
    .Attr("max_bytes: int = 0")
    .Attr("victims: {'least_recent', 'least_frequent'} = 'least_recent'")
    .Input("initial_rows: float")
    .Output("table: resource")
    .SetIsStateful()
    .SetShapeFn(ForRanks({2}, ScalarShapes));

REGISTER_OP("RecsTablesFind")
    .Attr("T: int >= 1")
    .Attr("F: int >= 1")
    .Attr("K: list({int64, string}) >= 1")
    .Attr("combiners: list({'none', 'sum', 'mean', 'sqrtn'}) >= 1")
    .Attr("feature_tables: list(int) >= 1")
    .Attr("dims: list(int) >= 1")
    .Input("tables: T * resource")
    .Input("keys: K")
    .Input("masks: F * bool")
    .Input("splits: F * int64")
    .Input("weights: F * float")
    .Output("outputs: F * float")
    .Output("found: F * bool")
    .SetShapeFn(FindShapes);

REGISTER_OP("RecsTablesFindOrInsert")
    .Attr("T: int >= 1")
    .Attr("F: int >= 1")
    .Attr("K: list({int64, string}) >= 1")
    .Attr("combiners: list({'none', 'sum', 'mean', 'sqrtn'}) >= 1")
    .Attr("feature_tables: list(int) >= 1")
    .Attr("dims: list(int) >= 1")
    .Attr("emit_unique_rows: bool = false")
    .Attr("emit_known: bool = false")
    .Input("tables: T * resource")
    .Input("keys: K")
    .Input("masks: F * bool")
    .Input("splits: F * int64")
    .Input("weights: F * float")
    .Input("time: int64")
    .Output("outputs: F * float")
    .Output("rows: T * int64")
    .Output("inverse: T * int32")
    .Output("unique_rows: T * float")
    .Output("known: F * bool")
    .SetShapeFn(FindOrInsertShapes);

REGISTER_OP("RecsTablesAddGradient")
    .Attr("T: int >= 1")
    .Attr("F: int >= 1")
    .Attr("combiners: list({'none', 'sum', 'mean', 'sqrtn'}) >= 1")
    .Attr("feature_tables: list(int) >= 1")
    .Input("tables: T * resource")
    .Input("rows: T * int64")
    .Input("inverse: T * int32")
    .Input("splits: F * int64")
    .Input("weights: F * float")
    .Input("gradients: F * float")
    .Input("unique_rows: T * float")
    .Input("unique_gradients: T * float")
    .Output("bad_rows: int64")
    .Output("weights_gradients: F * float")
    .SetShapeFn(AddGradientShapes);

REGISTER_OP("RecsTablesCommit")
    .Attr("T: int >= 1")
    .Attr("optimizers: list(string) >= 1")
    .Attr("parameters: list(float)")
    .Attr("parameter_counts: list(int) >= 1")
    .Attr("weight_decays: list(float) >= 1")
    .Attr("clipnorms: list(float) >= 1")
    .Attr("clipvalues: list(float) >= 1")
    .Input("tables: T * resource")
    .Input("learning_rates: T * float")
    .Input("steps: T * int64")
    .Input("scales: T * float")
    .Input("now: T * bool")
    .Output("updated: T * int64")
    .SetShapeFn(CommitShapes);

REGISTER_OP("RecsTableUpsert")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Input("keys: K")
    .Input("rows: float")
    .SetShapeFn(ForRanks({0, 1, 2}, tensorflow::shape_inference::NoOutputs));

REGISTER_OP("RecsTableRemove")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Input("keys: K")
    .Output("removed: int64")
    .SetShapeFn(ForRanks({0, 1}, ScalarShapes));

REGISTER_OP("RecsTableClear")
    .Input("table: resource")
    .SetShapeFn(ForRanks({0}, tensorflow::shape_inference::NoOutputs));

REGISTER_OP("RecsTableExport")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Output("keys: K")
    .Output("rows: float")
    .SetShapeFn(ForRanks({0}, ExportShapes));

REGISTER_OP("RecsTableDefaultRow")
    .Input("table: resource")
    .Output("row: float")
    .SetShapeFn(ForRanks({0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableMetadata")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Input("keys: K")
    .Output("metadata: int64")
    .SetShapeFn(ForRanks({0, 1}, [](InferenceContext* c) {
      c->set_output(0, c->Matrix(c->Dim(c->input(1), 0), 3));
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableRecords")
    .Attr("K: {int64, string}")
    .Attr("with_rows: bool")
    .Attr("with_slots: bool")
    .Input("table: resource")
    .Input("limit: int64")
    .Output("keys: K")
    .Output("metadata: int64")
    .Output("rows: float")
    .Output("slots: float")
    .Output("slot_vectors: int64")
    .Output("optimizer: string")
    .SetShapeFn(ForRanks({0, 0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      c->set_output(1, c->Matrix(c->UnknownDim(), 3));
      for (int i = 2; i < 4; ++i) c->set_output(i, c->Matrix(c->UnknownDim(), c->UnknownDim()));
      for (int i = 4; i < 6; ++i) c->set_output(i, c->Scalar());
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableEvict")
    .Attr("steps_to_live: int = 0")
    .Attr("seconds_to_live: int = 0")
    .Attr("minimum_norm: float = 0.0")
    .Attr("minimum_norm_steps: int = 0")
    .Attr("max_rows: int = 0")
    .Attr("max_bytes: int = 0")
    .Attr("victims: {'least_recent', 'least_frequent'} = 'least_recent'")
    .Input("table: resource")
    .Output("evicted: int64")
    .SetShapeFn(ForRanks({0}, ScalarShapes));

REGISTER_OP("RecsTableEvictedKeys")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Output("keys: K")
    .SetShapeFn(ForRanks({0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableStats")
    .Input("table: resource")
    .Output("counts: int64")
    .Output("optimizer: string")
    .SetShapeFn(ForRanks({0}, StatsShapes));

REGISTER_OP("RecsTableStep").Input("table: resource").Output("step: int64").SetShapeFn(ForRanks({0}, ScalarShapes));

REGISTER_OP("RecsTableHeldApplies")
    .Input("table: resource")
    .Output("held: int64")
    .SetShapeFn(ForRanks({0}, ScalarShapes));

}  // namespace
}  // namespace recs
