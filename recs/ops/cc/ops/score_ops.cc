// The ops of scores: names, inputs, outputs and shapes.
#include "ops/input_ranks.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;

absl::Status SoftmaxLossShapes(InferenceContext* c) {
  tensorflow::shape_inference::ShapeHandle queries, candidates;
  if (absl::Status got = c->WithRank(c->input(0), 2, &queries); !got.ok()) return got;
  if (absl::Status got = c->WithRank(c->input(1), 2, &candidates); !got.ok()) return got;
  bool with_gradient = false;
  if (absl::Status got = c->GetAttr("with_gradient", &with_gradient); !got.ok()) return got;
  c->set_output(0, c->Vector(c->Dim(queries, 0)));
  c->set_output(1, with_gradient ? queries : c->Matrix(0, 0));
  c->set_output(2, with_gradient ? candidates : c->Matrix(0, 0));
  c->set_output(3, c->Vector(with_gradient ? c->Dim(queries, 0) : c->MakeDim(0)));
  c->set_output(4, c->UnknownShapeOfRank(1));
  return absl::OkStatus();
}

// Inputs from `bias` on are scalars where there is none. See scores/softmax_loss.h.
REGISTER_OP("RecsSoftmaxLoss")
    .Attr("with_gradient: bool")
    .Attr("without_diagonal: bool")
    .Attr("lowest: float")
    .Input("queries: float")
    .Input("candidates: float")
    .Input("bias: float")
    .Input("weights: float")
    .Input("positives: float")
    .Input("own_numbers: int64")
    .Input("numbers: int64")
    .Output("losses: float")
    .Output("d_queries: float")
    .Output("d_candidates: float")
    .Output("d_positives: float")
    .Output("d_bias: float")
    .SetShapeFn(SoftmaxLossShapes);

REGISTER_OP("RecsCountHigher")
    .Input("queries: float")
    .Input("candidates: float")
    .Input("limits: double")
    .Output("counts: int64")
    .SetShapeFn(ForRanks({2, 2, 2}, [](InferenceContext* c) {
      c->set_output(0, c->input(2));
      return absl::OkStatus();
    }));

// Which instructions the kernels use; an error where RECS_KERNELS cannot be followed.
REGISTER_OP("RecsKernelPath").Output("path: string").SetIsStateful().SetShapeFn([](InferenceContext* c) {
  c->set_output(0, c->Scalar());
  return absl::OkStatus();
});

}  // namespace
}  // namespace recs
