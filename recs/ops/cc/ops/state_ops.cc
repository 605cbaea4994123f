// The ops that save and restore tables. Kernels are in kernels/save.cc, state.cc and delta.cc.
//
// `kind` is "state", "base" (a state that deltas follow) or "delta" (what changed since a cursor).
// Cursors are strings, of change_log.h; empty for none.
#include "ops/input_ranks.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;

REGISTER_OP("RecsTableSave")
    .Input("table: resource")
    .Input("path: string")
    .Input("since: string")
    .Output("step: int64")
    .Output("cursor: string")
    .Attr("kind: {'state', 'base', 'delta'} = 'state'")
    .Attr("slots: bool = true")
    .SetShapeFn(ForRanks({0, 0, 0}, [](InferenceContext* c) {
      c->set_output(0, c->Scalar());
      c->set_output(1, c->Scalar());
      return absl::OkStatus();
    }));

// The same in two ops: the first one takes the moment, the second one writes.
REGISTER_OP("RecsTableBeginSave")
    .Input("table: resource")
    .Input("path: string")
    .Input("since: string")
    .Output("save: resource")
    .Output("step: int64")
    .Output("cursor: string")
    .Attr("kind: {'state', 'base', 'delta'} = 'state'")
    .Attr("slots: bool = true")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0, 0, 0}, [](InferenceContext* c) {
      for (int i = 0; i < 3; ++i) c->set_output(i, c->Scalar());
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableFinishSave")
    .Input("save: resource")
    .SetShapeFn(ForRanks({0}, tensorflow::shape_inference::NoOutputs));

REGISTER_OP("RecsTableRestore")
    .Input("table: resource")
    .Input("path: string")
    .Attr("merge: bool = false")
    .Attr("slots: bool = true")
    .SetShapeFn(ForRanks({0, 0}, tensorflow::shape_inference::NoOutputs));

REGISTER_OP("RecsTableApply")
    .Input("table: resource")
    .Input("path: string")
    .SetShapeFn(ForRanks({0, 0}, tensorflow::shape_inference::NoOutputs));

// Takes an entry of a chain over, a base or a delta, of which each table has a file: all are
// checked before any table changes, and a file that is unlinked meanwhile is read all the same.
REGISTER_OP("RecsTablesApply")
    .Attr("T: int >= 1")
    .Input("tables: T * resource")
    .Input("paths: string")
    .Input("base: bool")
    .SetShapeFn([](InferenceContext* c) {
      int tables;
      TF_RETURN_IF_ERROR(c->GetAttr("T", &tables));
      tensorflow::shape_inference::ShapeHandle unused;
      tensorflow::shape_inference::DimensionHandle same;
      for (int t = 0; t < tables; ++t) TF_RETURN_IF_ERROR(c->WithRank(c->input(t), 0, &unused));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(tables), 1, &unused));
      TF_RETURN_IF_ERROR(c->WithValue(c->Dim(c->input(tables), 0), tables, &same));
      return c->WithRank(c->input(tables + 1), 0, &unused);
    });

// Up to where the table has taken another one's changes over.
REGISTER_OP("RecsTableFollows")
    .Input("table: resource")
    .Output("cursor: string")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0}, tensorflow::shape_inference::ScalarShape));

REGISTER_OP("RecsTableDelta")
    .Input("table: resource")
    .Input("since: string")
    .Output("keys: K")
    .Output("rows: float")
    .Output("removed: K")
    .Output("cursor: string")
    .Attr("K: {int64, string}")
    .SetShapeFn(ForRanks({0, 0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      c->set_output(1, c->Matrix(c->UnknownDim(), c->UnknownDim()));
      c->set_output(2, c->Vector(c->UnknownDim()));
      c->set_output(3, c->Scalar());
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableSerialize")
    .Input("table: resource")
    .Output("blocks: string")
    .SetShapeFn(ForRanks({0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableDeserialize")
    .Input("table: resource")
    .Input("blocks: string")
    .SetShapeFn(ForRanks({0, 1}, tensorflow::shape_inference::NoOutputs));

}  // namespace
}  // namespace recs
