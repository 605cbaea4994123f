// Ranks of inputs, which shape functions check as far as they are known. Kernels check them again:
// see kernels/checked_inputs.h.
#ifndef RECS_OPS_INPUT_RANKS_H_
#define RECS_OPS_INPUT_RANKS_H_

#include <initializer_list>
#include <utility>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace recs {

// An error unless inputs [first, first + count) may have this rank.
inline absl::Status CheckRanks(tensorflow::shape_inference::InferenceContext* c, int first,
                               int count, int rank) {
  tensorflow::shape_inference::ShapeHandle checked;
  for (int i = first; i < first + count; ++i) {
    if (absl::Status got = c->WithRank(c->input(i), rank, &checked); !got.ok()) return got;
  }
  return absl::OkStatus();
}

// A shape function for inputs of these ranks, in their order.
inline tensorflow::OpShapeInferenceFn ForRanks(std::vector<int> ranks,
                                               tensorflow::OpShapeInferenceFn of_outputs) {
  return [ranks = std::move(ranks), of_outputs = std::move(of_outputs)](
             tensorflow::shape_inference::InferenceContext* c) {
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (absl::Status got = CheckRanks(c, static_cast<int>(i), 1, ranks[i]); !got.ok()) return got;
    }
    return of_outputs(c);
  };
}

}  // namespace recs

#endif  // RECS_OPS_INPUT_RANKS_H_
