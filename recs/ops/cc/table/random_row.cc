#include "table/random_row.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "table/hash.h"
#include "table/row_kernels.h"

// Everything in the unnamed namespace is inlined into the three functions at the end, once for each
// instruction set.
namespace recs {
namespace {

constexpr int kWords = 32;  // of a stream, made together

// The halves of words [first, first + count) of a stream. Words of different keys and places are
// independent.
RECS_KERNEL_BODY void Words(uint64_t stream, int first, int count, uint32_t* upper, uint32_t* lower) {
  for (int i = 0; i < count; ++i) {
    const uint64_t word = Mix(stream + static_cast<uint64_t>(first + i) * 0x9e3779b97f4a7c15ULL);
    upper[i] = static_cast<uint32_t>(word >> 32);
    lower[i] = static_cast<uint32_t>(word);
  }
}

// row[j] = draw(half of a word), for every j.
template <class Draw>
RECS_KERNEL_BODY void FillEach(uint64_t stream, float* row, int dim, Draw draw) {
  const int half = (dim + 1) / 2;
  uint32_t upper[kWords], lower[kWords];
  for (int first = 0; first < half; first += kWords) {
    const int count = std::min(kWords, half - first);
    Words(stream, first, count, upper, lower);
    for (int i = 0; i < count; ++i) row[first + i] = draw(upper[i]);
    const int rest = std::min(count, dim - half - first);
    for (int i = 0; i < rest; ++i) row[half + first + i] = draw(lower[i]);
  }
}

RECS_KERNEL_BODY int32_t SignedBitsOf(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
RECS_KERNEL_BODY float FloatOf(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// -2 log(k / 2^31) for 0 < k < 2^31, which is rounded to 24 bits: k = 2^e (1 + t), with t from
// -1/4 up to 1/2, and log(1 + t) = t + t^2 P(t).
RECS_KERNEL_BODY float SquaredRadius(int32_t k) {
  const int32_t bits = SignedBitsOf(static_cast<float>(k));
  const int32_t e = (bits - 0x3f400000) >> 23;
  const float t = FloatOf(bits - (e << 23)) - 1.0f;
  float p = -0.0647063777f;
  p = p * t + 0.140193224f;
  p = p * t + -0.17385973f;
  p = p * t + 0.201218054f;
  p = p * t + -0.249765038f;
  p = p * t + 0.333295673f;
  p = p * t + -0.500002325f;
  return 2.0f * (static_cast<float>(31 - e) * 0.693147182f - (t + (t * t) * p));
}

// sin and cos of f eighths of a turn, f * pi / 4, for f in (0, 1); ff is f * f.
RECS_KERNEL_BODY float Sine(float f, float ff) {
  float p = -3.59545083e-05f;
  p = p * ff + 0.00249000709f;
  p = p * ff + -0.0807454363f;
  p = p * ff + 0.785398185f;
  return f * p;
}
RECS_KERNEL_BODY float Cosine(float ff) {
  float p = -0.000318880513f;
  p = p * ff + 0.0158499144f;
  p = p * ff + -0.308424264f;
  return p * ff + 1.0f;
}

// The standard normal value below which, within two deviations, the share (1 + x) / 2 lies: x times
// a rational function of w = 1 - x^2, all of whose coefficients are positive, so nothing cancels.
RECS_KERNEL_BODY float WithinTwoDeviations(float x) {
  const float w = (1.0f - x) * (1.0f + x);
  float p = 4.61675358f;
  p = p * w + 56.1348114f;
  p = p * w + 75.9274139f;
  p = p * w + 24.4431248f;
  p = p * w + 1.99999988f;
  float q = 11.1984577f;
  q = q * w + 56.9237633f;
  q = q * w + 53.3032646f;
  q = q * w + 13.9313879f;
  q = q * w + 1.0f;
  return x * (p / q);
}

RECS_KERNEL_BODY void UniformRowBody(uint64_t stream, float low, float high, float* row, int dim) {
  const float span = high - low;
  FillEach(stream, row, dim, [=](uint32_t bits) {
    return low + span * (static_cast<float>(static_cast<int32_t>(bits >> 8)) * 0x1p-24f);
  });
}

RECS_KERNEL_BODY void NormalRowBody(uint64_t stream, float mean, float deviation, float* row,
                                    int dim) {
  const int half = (dim + 1) / 2;
  uint32_t upper[kWords], lower[kWords];
  float first_of_pair[kWords], second_of_pair[kWords];
  for (int first = 0; first < half; first += kWords) {
    const int count = std::min(kWords, half - first);
    Words(stream, first, count, upper, lower);
    for (int i = 0; i < count; ++i) {
      // An odd number, so never zero.
      const float r = std::sqrt(SquaredRadius(static_cast<int32_t>(upper[i] >> 1 | 1)));
      // 23 bits are the angle within an eighth of a turn, three others say which eighth.
      const uint32_t bits = lower[i];
      const float f = static_cast<float>(static_cast<int32_t>(bits >> 9 << 1 | 1)) * 0x1p-24f;
      const float ff = f * f;
      const float sine = Sine(f, ff);
      const float cosine = Cosine(ff);
      const bool swap = (bits & 4) != 0;
      const float a = r * (swap ? sine : cosine);
      const float b = r * (swap ? cosine : sine);
      first_of_pair[i] = mean + deviation * ((bits & 1) != 0 ? -a : a);
      second_of_pair[i] = mean + deviation * ((bits & 2) != 0 ? -b : b);
    }
    std::copy(first_of_pair, first_of_pair + count, row + first);
    std::copy(second_of_pair, second_of_pair + std::min(count, dim - half - first),
              row + half + first);
  }
}

RECS_KERNEL_BODY void TruncatedNormalRowBody(uint64_t stream, float mean, float deviation,
                                             float* row, int dim) {
  FillEach(stream, row, dim, [=](uint32_t bits) {
    // An odd number of 24 bits and a sign: the places are symmetric around zero.
    const int32_t place = 2 * (static_cast<int32_t>(bits >> 8) - 0x800000) + 1;
    return mean + deviation * WithinTwoDeviations(static_cast<float>(place) * 0x1p-24f);
  });
}

}  // namespace

void UniformRow(uint64_t stream, float low, float high, float* row, int dim) {
  Kernel<UniformRowBody>::Run(stream, low, high, row, dim);
}

void NormalRow(uint64_t stream, float mean, float deviation, float* row, int dim) {
  Kernel<NormalRowBody>::Run(stream, mean, deviation, row, dim);
}

void TruncatedNormalRow(uint64_t stream, float mean, float deviation, float* row, int dim) {
  Kernel<TruncatedNormalRowBody>::Run(stream, mean, deviation, row, dim);
}

}  // namespace recs
