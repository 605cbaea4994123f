#include "table/row_initializer.h"

#include <algorithm>
#include <cmath>

#include "table/hash.h"

namespace recs {
namespace {

// The n-th word of the key's own stream: words of different keys and places are independent.
uint64_t Word(uint64_t stream, uint64_t n) { return Mix(stream + n * 0x9e3779b97f4a7c15ULL); }

// 24 bits are all that a float in [0, 1) holds evenly.
float Uniform24(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

// Box and Muller's transform of one word. The first uniform is in (0, 1], so the log is finite.
double Normal(uint64_t word) {
  const double u = (static_cast<double>(word >> 32) + 1.0) * 0x1p-32;
  const double v = static_cast<double>(word & 0xffffffffu) * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * M_PI * v);
}

// Draws again beyond two standard deviations, as Keras does; 64 draws all fail with
// probability 1e-86, then the last is clipped.
double TruncatedNormal(uint64_t stream, uint64_t n) {
  double z = 0.0;
  for (uint64_t draw = 0; draw < 64; ++draw) {
    z = Normal(Word(stream, n * 64 + draw));
    if (std::abs(z) <= 2.0) return z;
  }
  return std::clamp(z, -2.0, 2.0);
}

void FillUniform(uint64_t stream, float low, float high, float* row, int dim) {
  const float span = high - low;
  for (int j = 0; j < dim; j += 2) {
    const uint64_t word = Word(stream, static_cast<uint64_t>(j / 2));
    row[j] = low + span * Uniform24(static_cast<uint32_t>(word >> 32));
    if (j + 1 < dim) row[j + 1] = low + span * Uniform24(static_cast<uint32_t>(word));
  }
}

}  // namespace

void RowInitializer::Fill(uint64_t key_hash, float* row, int dim) const {
  const uint64_t stream = Mix(key_hash ^ Mix(seed + 0x9e3779b97f4a7c15ULL));
  switch (kind) {
    case InitializerKind::kConstant:
      std::fill(row, row + dim, a);
      return;
    case InitializerKind::kUniform:
      FillUniform(stream, a, b, row, dim);
      return;
    case InitializerKind::kNormal:
      for (int j = 0; j < dim; ++j) row[j] = static_cast<float>(a + b * Normal(Word(stream, j)));
      return;
    case InitializerKind::kTruncatedNormal:
      for (int j = 0; j < dim; ++j) row[j] = static_cast<float>(a + b * TruncatedNormal(stream, j));
      return;
  }
}

}  // namespace recs
