// For any processor, as the compiler has it.
#include <cmath>
#include <cstdint>

#include "scores/exponential.h"
#include "scores/tile_kernels.h"
#include "scores/tile_kernels_of.h"
#include "table/kernel_path.h"

namespace recs::scores {
namespace {

struct Floats4 {
  static constexpr int kLanes = 4;
  static constexpr int kVectors = 1;

  float x[kLanes];

  static Floats4 Zero() { return Broadcast(0); }
  static Floats4 Broadcast(float value) { return {{value, value, value, value}}; }
  static Floats4 Load(const float* from) { return {{from[0], from[1], from[2], from[3]}}; }
  void Store(float* to) const {
    for (int i = 0; i < kLanes; ++i) to[i] = x[i];
  }
  static Floats4 Add(Floats4 a, Floats4 b) {
    for (int i = 0; i < kLanes; ++i) a.x[i] += b.x[i];
    return a;
  }
  static Floats4 Subtract(Floats4 a, Floats4 b) {
    for (int i = 0; i < kLanes; ++i) a.x[i] -= b.x[i];
    return a;
  }
  static Floats4 Max(Floats4 a, Floats4 b) {
    for (int i = 0; i < kLanes; ++i) a.x[i] = a.x[i] > b.x[i] ? a.x[i] : b.x[i];
    return a;
  }
  // a * b + c
  static Floats4 MultiplyAdd(Floats4 a, Floats4 b, Floats4 c) {
    for (int i = 0; i < kLanes; ++i) c.x[i] += a.x[i] * b.x[i];
    return c;
  }
  static int CountAtMost(Floats4 a, Floats4 limit) {
    int count = 0;
    for (int i = 0; i < kLanes; ++i) count += a.x[i] <= limit.x[i];
    return count;
  }
  static Floats4 Exp(Floats4 of) {
    for (float& one : of.x) one = one < kSmallestExponent ? 0.0f : std::exp(one);
    return of;
  }
};

constexpr TileKernels kKernels = TileKernelsOf<Floats4>::Named("portable");

}  // namespace

const TileKernels* PortableKernels() { return &kKernels; }

const TileKernels& ActiveKernels() {
  const TileKernels* kernels = nullptr;
  if (ActivePath() == KernelPath::kAvx512) kernels = Avx512Kernels();
  if (ActivePath() == KernelPath::kAvx2) kernels = Avx2Kernels();
  return kernels == nullptr ? *PortableKernels() : *kernels;
}

}  // namespace recs::scores
