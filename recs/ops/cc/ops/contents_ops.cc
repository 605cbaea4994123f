// The ops that take a table's keys and rows, without slots, and set them. Kernels are in
// kernels/contents_blocks.cc.
#include "ops/input_ranks.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {
namespace {

using tensorflow::shape_inference::InferenceContext;

REGISTER_OP("RecsTableContents")
    .Input("table: resource")
    .Output("blocks: string")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0}, [](InferenceContext* c) {
      c->set_output(0, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    }));

REGISTER_OP("RecsTableAssign")
    .Input("table: resource")
    .Input("blocks: string")
    .SetIsStateful()
    .SetShapeFn(ForRanks({0, 1}, tensorflow::shape_inference::NoOutputs));

}  // namespace
}  // namespace recs
