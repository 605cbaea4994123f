#include "optimizers/group_ftrl.h"

#include <cmath>

#include "optimizers/sum_of_squares.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

// clip(z, -l1, l1) - z
RECS_KERNEL_BODY void ShrinkBody(const float* z, float l1, float* __restrict shrunk, int dim) {
  for (int j = 0; j < dim; ++j) {
    const float low = z[j] < -l1 ? -l1 : z[j];
    shrunk[j] = (low > l1 ? l1 : low) - z[j];
  }
}
constexpr Kernel<ShrinkBody> Shrink;

}  // namespace

void GroupFtrl::Update(const float* gradient, float* embedding, float* slots, int dim) const {
  if (constants_.learning_rate == 0.0f) return;
  float* a = slots;
  float* z = slots + dim;
  FtrlAccumulate(gradient, constants_, embedding, a, z, dim);
  // In blocks on the stack, so that no row needs memory of its own.
  constexpr int kBlock = 64;
  float shrunk[kBlock];
  double squares = 0.0;
  for (int j = 0; j < dim; j += kBlock) {
    const int width = dim - j < kBlock ? dim - j : kBlock;
    Shrink(z + j, constants_.l1, shrunk, width);
    squares += SumOfSquares(shrunk, width);
  }
  const float norm = static_cast<float>(std::sqrt(squares));
  const float limit = std::sqrt(static_cast<float>(dim)) * l21_;
  const float factor = norm > limit ? 1.0f - limit / norm : 0.0f;
  FtrlSolve(constants_, factor, a, z, embedding, dim);
}

}  // namespace recs
