// Eight floats at a time.
#include <cstdint>

#include "scores/tile_kernels.h"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,popcnt"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,popcnt")
#endif

#include <immintrin.h>

#include "scores/exponential.h"
#include "scores/tile_kernels_of.h"

namespace recs::scores {
namespace {

struct Floats8 {
  static constexpr int kLanes = 8;
  static constexpr int kVectors = 2;  // of sixteen registers

  __m256 x;

  static Floats8 Zero() { return {_mm256_setzero_ps()}; }
  static Floats8 Broadcast(float value) { return {_mm256_set1_ps(value)}; }
  static Floats8 Load(const float* from) { return {_mm256_loadu_ps(from)}; }
  void Store(float* to) const { _mm256_storeu_ps(to, x); }
  static Floats8 Add(Floats8 a, Floats8 b) { return {_mm256_add_ps(a.x, b.x)}; }
  static Floats8 Subtract(Floats8 a, Floats8 b) { return {_mm256_sub_ps(a.x, b.x)}; }
  static Floats8 Max(Floats8 a, Floats8 b) { return {_mm256_max_ps(a.x, b.x)}; }
  // a * b + c
  static Floats8 MultiplyAdd(Floats8 a, Floats8 b, Floats8 c) {
    return {_mm256_fmadd_ps(a.x, b.x, c.x)};
  }
  static int CountAtMost(Floats8 a, Floats8 limit) {
    return __builtin_popcount(_mm256_movemask_ps(_mm256_cmp_ps(a.x, limit.x, _CMP_LE_OQ)));
  }
  static Floats8 Exp(Floats8 of) {
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(of.x, _mm256_set1_ps(kLog2OfE)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 rest = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2High), of.x);
    rest = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2Low), rest);
    __m256 sum = _mm256_set1_ps(kExpCoefficients[0]);
    for (int i = 1; i < kExpTerms; ++i) {
      sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(kExpCoefficients[i]));
    }
    // 2^n, by its bits; infinity from n = 128 on. Of a NaN the minimum is the second.
    const __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(128.0f), n));
    const __m256i exponent = _mm256_add_epi32(whole, _mm256_set1_epi32(127));
    const __m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
    // Not below the smallest: so a NaN stays one.
    const __m256 large = _mm256_cmp_ps(of.x, _mm256_set1_ps(kSmallestExponent), _CMP_NLT_UQ);
    return {_mm256_and_ps(large, _mm256_mul_ps(sum, scale))};
  }
};

constexpr TileKernels kKernels = TileKernelsOf<Floats8>::Named("AVX2");

}  // namespace

const TileKernels* Avx2Kernels() { return &kKernels; }

}  // namespace recs::scores

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

namespace recs::scores {
const TileKernels* Avx2Kernels() { return nullptr; }
}  // namespace recs::scores

#endif
