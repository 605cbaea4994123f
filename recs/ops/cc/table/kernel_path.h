// Which instruction set every kernel of the engine uses.
#ifndef RECS_TABLE_KERNEL_PATH_H_
#define RECS_TABLE_KERNEL_PATH_H_

#include <atomic>
#include <string>

namespace recs {

enum class KernelPath : int { kPortable = 0, kAvx2 = 1, kAvx512 = 2 };
constexpr KernelPath kKernelPaths[] = {KernelPath::kPortable, KernelPath::kAvx2,
                                       KernelPath::kAvx512};

// "portable", "avx2" or "avx512".
const char* NameOf(KernelPath path);

// Whether this processor, and this build, have the instructions.
bool Supports(KernelPath path);

// The widest path that is supported.
KernelPath BestPath();

// Sets `path` to the one named; to the best one where `name` is null or empty. Returns what is
// wrong with the name, or nothing.
std::string ParsePath(const char* name, KernelPath* path);

// What is wrong with the variable RECS_KERNELS as it was when the library loaded, or nothing.
const std::string& KernelPathError();

namespace internal {
// Written when the library loads, and by tests.
extern std::atomic<KernelPath> active_path;
}  // namespace internal

// The path of RECS_KERNELS, else the best one.
inline KernelPath ActivePath() { return internal::active_path.load(std::memory_order_relaxed); }

}  // namespace recs

#endif  // RECS_TABLE_KERNEL_PATH_H_
