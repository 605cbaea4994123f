// The ops of a record table beyond those of every table: names, inputs, outputs and shapes.
#include "ops/input_ranks.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;

absl::Status RecentShapes(InferenceContext* c) {
  int capacity = 0, width = 0;
  if (absl::Status got = c->GetAttr("capacity", &capacity); !got.ok()) return got;
  if (absl::Status got = c->GetAttr("width", &width); !got.ok()) return got;
  tensorflow::shape_inference::ShapeHandle keys;
  if (absl::Status got = c->WithRank(c->input(1), 1, &keys); !got.ok()) return got;
  const auto n = c->Dim(keys, 0);
  c->set_output(0, c->MakeShape({n, c->MakeDim(capacity), c->MakeDim(width)}));
  c->set_output(1, c->Vector(n));
  c->set_output(2, c->Matrix(n, capacity));
  return absl::OkStatus();
}

REGISTER_OP("RecsTableAppend")
    .Attr("K: {int64, string}")
    .Input("table: resource")
    .Input("keys: K")
    .Input("mask: bool")
    .Input("records: float")
    .Input("times: int64")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0, 1, 1, 2, 1}, tensorflow::shape_inference::NoOutputs));

REGISTER_OP("RecsTableRecent")
    .Attr("K: {int64, string}")
    .Attr("capacity: int >= 1")
    .Attr("width: int >= 1")
    .Input("table: resource")
    .Input("keys: K")
    .Input("mask: bool")
    .Output("records: float")
    .Output("lengths: int32")
    .Output("times: int64")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0, 1, 1}, RecentShapes));

}  // namespace
}  // namespace recs
