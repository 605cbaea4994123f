// The ops that take a table's keys and rows, without slots, and set them. Kernels are in
// kernels/contents_blocks.cc.
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

REGISTER_OP("RecsTableContents")
    .Input("table: resource")
    .Output("blocks: string")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    });

REGISTER_OP("RecsTableAssign")
    .Input("table: resource")
    .Input("blocks: string")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle blocks;
      return c->WithRank(c->input(1), 1, &blocks);
    });

}  // namespace
}  // namespace recs
