#include "table/kernel_path.h"

#include <cstdlib>

#include "table/row_kernels.h"

namespace recs {

namespace internal {
std::atomic<KernelPath> active_path{KernelPath::kPortable};
}  // namespace internal

namespace {

// Errors are kept, for a library that loads can neither return nor throw one.
const std::string& Start() {
  static const std::string error = [] {
    KernelPath path;
    std::string wrong = ParsePath(std::getenv("RECS_KERNELS"), &path);
    internal::active_path.store(path, std::memory_order_relaxed);
    return wrong;
  }();
  return error;
}

[[maybe_unused]] const bool started = (Start(), true);

}  // namespace

const char* NameOf(KernelPath path) {
  switch (path) {
    case KernelPath::kAvx512:
      return "avx512";
    case KernelPath::kAvx2:
      return "avx2";
    case KernelPath::kPortable:
      break;
  }
  return "portable";
}

bool Supports(KernelPath path) {
  if (path == KernelPath::kPortable) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("popcnt");
  if (path == KernelPath::kAvx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

KernelPath BestPath() {
  for (KernelPath path : {KernelPath::kAvx512, KernelPath::kAvx2}) {
    if (Supports(path)) return path;
  }
  return KernelPath::kPortable;
}

std::string ParsePath(const char* name, KernelPath* path) {
  *path = BestPath();
  const std::string given = name == nullptr ? "" : name;
  if (given.empty()) return "";
  const std::string rest = "'. Received: RECS_KERNELS='" + given + "' (in the library of recs's ops";
  for (KernelPath known : kKernelPaths) {
    if (given != NameOf(known)) continue;
    if (!Supports(known)) {
      return std::string("`RECS_KERNELS` must name instructions that the processor has, at most '") +
             NameOf(BestPath()) + rest + "). Unset it to use the widest ones.";
    }
    *path = known;
    return "";
  }
  return "`RECS_KERNELS` must be 'avx512', 'avx2' or 'portable" + rest +
         "). Unset it to use the widest ones.";
}

const std::string& KernelPathError() { return Start(); }

}  // namespace recs
