// The kernels of scores that this processor can run.
#ifndef RECS_TESTS_CC_KERNELS_HERE_H_
#define RECS_TESTS_CC_KERNELS_HERE_H_

#include <vector>

#include "scores/tile_kernels.h"

namespace recs::testing {

inline std::vector<const scores::TileKernels*> KernelsHere() {
  std::vector<const scores::TileKernels*> kernels = {scores::PortableKernels()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels.push_back(scores::Avx2Kernels());
  }
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(scores::Avx512Kernels());
#endif
  return kernels;
}

}  // namespace recs::testing

#endif  // RECS_TESTS_CC_KERNELS_HERE_H_
