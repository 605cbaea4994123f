// Sixteen floats at a time.
#include <cstdint>

#include "scores/tile_kernels.h"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,popcnt"))), apply_to = function)
#else
#pragma GCC target("avx512f,popcnt")
// GCC 12 warns of its own header, where what it calls undefined is masked out.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include "scores/exponential.h"
#include "scores/tile_kernels_of.h"

namespace recs::scores {
namespace {

struct Floats16 {
  static constexpr int kLanes = 16;
  static constexpr int kVectors = 4;

  __m512 x;

  static Floats16 Zero() { return {_mm512_setzero_ps()}; }
  static Floats16 Broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static Floats16 Load(const float* from) { return {_mm512_loadu_ps(from)}; }
  void Store(float* to) const { _mm512_storeu_ps(to, x); }
  static Floats16 Add(Floats16 a, Floats16 b) { return {_mm512_add_ps(a.x, b.x)}; }
  static Floats16 Subtract(Floats16 a, Floats16 b) { return {_mm512_sub_ps(a.x, b.x)}; }
  static Floats16 Max(Floats16 a, Floats16 b) { return {_mm512_max_ps(a.x, b.x)}; }
  // a * b + c
  static Floats16 MultiplyAdd(Floats16 a, Floats16 b, Floats16 c) {
    return {_mm512_fmadd_ps(a.x, b.x, c.x)};
  }
  static int CountAtMost(Floats16 a, Floats16 limit) {
    return __builtin_popcount(_mm512_cmp_ps_mask(a.x, limit.x, _CMP_LE_OQ));
  }
  static Floats16 Exp(Floats16 of) {
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(of.x, _mm512_set1_ps(kLog2OfE)), 0);
    __m512 rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2High), of.x);
    rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2Low), rest);
    __m512 sum = _mm512_set1_ps(kExpCoefficients[0]);
    for (int i = 1; i < kExpTerms; ++i) {
      sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(kExpCoefficients[i]));
    }
    // Not below the smallest: so a NaN stays one.
    const __mmask16 large = _mm512_cmp_ps_mask(of.x, _mm512_set1_ps(kSmallestExponent), _CMP_NLT_UQ);
    return {_mm512_maskz_scalef_ps(large, sum, n)};
  }
};

constexpr TileKernels kKernels = TileKernelsOf<Floats16>::Named("AVX-512");

}  // namespace

const TileKernels* Avx512Kernels() { return &kKernels; }

}  // namespace recs::scores

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

namespace recs::scores {
const TileKernels* Avx512Kernels() { return nullptr; }
}  // namespace recs::scores

#endif
