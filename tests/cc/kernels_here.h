// The kernels that this processor can run.
#ifndef RECS_TESTS_CC_KERNELS_HERE_H_
#define RECS_TESTS_CC_KERNELS_HERE_H_

#include <vector>

#include "scores/tile_kernels.h"
#include "table/kernel_path.h"

namespace recs::testing {

inline std::vector<KernelPath> PathsHere() {
  std::vector<KernelPath> paths;
  for (KernelPath path : kKernelPaths) {
    if (Supports(path)) paths.push_back(path);
  }
  return paths;
}

// Has every kernel take a path while it lives.
class OnPath {
 public:
  explicit OnPath(KernelPath path) : before_(internal::active_path.exchange(path)) {}
  ~OnPath() { internal::active_path = before_; }
  OnPath(const OnPath&) = delete;
  OnPath& operator=(const OnPath&) = delete;

 private:
  KernelPath before_;
};

inline std::vector<const scores::TileKernels*> KernelsHere() {
  std::vector<const scores::TileKernels*> kernels;
  for (KernelPath path : PathsHere()) {
    OnPath on(path);
    kernels.push_back(&scores::ActiveKernels());
  }
  return kernels;
}

}  // namespace recs::testing

#endif  // RECS_TESTS_CC_KERNELS_HERE_H_
