// How matrices are laid out for the kernels.
#ifndef RECS_SCORES_PACKING_H_
#define RECS_SCORES_PACKING_H_

#include <cstdint>

#include "scores/tile_kernels.h"

namespace recs::scores {

inline int64_t RoundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// packed[k][c] = candidates[c][k] for `count` candidates, at most a tile; others are left alone.
inline void PackTile(const float* candidates, int64_t count, int64_t dim, float* packed) {
  for (int64_t c = 0; c < count; ++c) {
    for (int64_t k = 0; k < dim; ++k) packed[k * kTile + c] = candidates[c * dim + k];
  }
}

}  // namespace recs::scores

#endif  // RECS_SCORES_PACKING_H_
