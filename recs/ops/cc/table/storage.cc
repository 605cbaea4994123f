#include "table/storage.h"

#include <cstring>

#include "table/hash.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

constexpr uint32_t kSign = 0x80000000u;

inline uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

inline float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// `noise` is what is added before the lower bits are cut off: 16 bits for bfloat16.
inline uint16_t ToBfloat16(uint32_t bits, uint32_t noise) {
  const uint32_t magnitude = ((bits & ~kSign) + noise) >> 16;
  const uint32_t finite = magnitude < 0x7f7fu ? magnitude : 0x7f7fu;
  return static_cast<uint16_t>(finite | (bits & kSign) >> 16);
}

// How many units of 2^-24, in which subnormal numbers of float16 count, a value's magnitude is; 0
// where it is a normal number there. By integers and products of normal numbers alone: threads of
// TensorFlow flush subnormal floats to zero.
inline float UnitsOf(uint32_t bits) {
  const uint32_t magnitude = bits & ~kSign;
  return FromBits(magnitude < (113u << 23) ? magnitude : 0u) * 0x1p24f;
}

// `noise` has 13 bits, which are added to a normal number before its lower bits are cut off;
// `units` is what a subnormal one is rounded to.
inline uint16_t ToFloat16(uint32_t bits, uint32_t noise, int32_t units) {
  const uint32_t magnitude = bits & ~kSign;
  const uint32_t normal = (magnitude + noise - (112u << 23)) >> 13;
  const uint32_t chosen = magnitude < (113u << 23) ? static_cast<uint32_t>(units) : normal;
  const bool large = magnitude >= 0x477fe000u;  // 65504, the largest finite number
  return static_cast<uint16_t>((large ? 0x7bffu : chosen) | (bits & kSign) >> 16);
}

RECS_KERNEL_BODY void DecodeBfloat16Body(const uint16_t* stored, float* values, int n) {
  for (int j = 0; j < n; ++j) values[j] = FromBits(uint32_t{stored[j]} << 16);
}
constexpr Kernel<DecodeBfloat16Body> DecodeBfloat16;

RECS_KERNEL_BODY void DecodeFloat16Body(const uint16_t* stored, float* values, int n) {
  for (int j = 0; j < n; ++j) {
    const uint32_t magnitude = stored[j] & 0x7fffu;
    const float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
    const uint32_t bits = magnitude < 0x400u ? BitsOf(subnormal) : (magnitude << 13) + (112u << 23);
    values[j] = FromBits(bits | (stored[j] & 0x8000u) << 16);
  }
}
constexpr Kernel<DecodeFloat16Body> DecodeFloat16;

RECS_KERNEL_BODY void NearestBfloat16Body(const float* values, uint16_t* stored, int n) {
  for (int j = 0; j < n; ++j) {
    const uint32_t bits = BitsOf(values[j]);
    stored[j] = ToBfloat16(bits, 0x7fffu + (bits >> 16 & 1u));
  }
}
constexpr Kernel<NearestBfloat16Body> NearestBfloat16;

RECS_KERNEL_BODY void NearestFloat16Body(const float* values, uint16_t* stored, int n) {
  for (int j = 0; j < n; ++j) {
    const uint32_t bits = BitsOf(values[j]);
    // Adding and taking 2^23 rounds to a whole number.
    const float whole = (UnitsOf(bits) + 0x1p23f) - 0x1p23f;
    stored[j] = ToFloat16(bits, 0xfffu + (bits >> 13 & 1u), static_cast<int32_t>(whole));
  }
}
constexpr Kernel<NearestFloat16Body> NearestFloat16;

RECS_KERNEL_BODY void StochasticBfloat16Body(const float* values, uint64_t stream, uint16_t* stored,
                                             int n) {
  for (int j = 0; j < n; ++j) {
    const uint64_t word = Mix(stream + static_cast<uint64_t>(j));
    stored[j] = ToBfloat16(BitsOf(values[j]), static_cast<uint32_t>(word >> 48));
  }
}
constexpr Kernel<StochasticBfloat16Body> StochasticBfloat16;

RECS_KERNEL_BODY void StochasticFloat16Body(const float* values, uint64_t stream, uint16_t* stored,
                                            int n) {
  for (int j = 0; j < n; ++j) {
    const uint64_t word = Mix(stream + static_cast<uint64_t>(j));
    const uint32_t bits = BitsOf(values[j]);
    const float drawn = static_cast<float>(static_cast<int32_t>(word >> 41)) * 0x1p-23f;
    const float units = UnitsOf(bits);
    const auto whole = static_cast<int32_t>(units);
    // Compared, not added: a sum would be rounded itself, and move numbers that are exact.
    const int32_t up = drawn < units - static_cast<float>(whole);
    stored[j] = ToFloat16(bits, static_cast<uint32_t>(word >> 51), whole + up);
  }
}
constexpr Kernel<StochasticFloat16Body> StochasticFloat16;

}  // namespace

void Decode(Storage storage, const void* stored, float* values, int n) {
  switch (storage) {
    case Storage::kFloat32:
      std::memcpy(values, stored, sizeof(float) * n);
      return;
    case Storage::kBfloat16:
      return DecodeBfloat16(static_cast<const uint16_t*>(stored), values, n);
    case Storage::kFloat16:
      return DecodeFloat16(static_cast<const uint16_t*>(stored), values, n);
  }
}

void EncodeNearest(Storage storage, const float* values, void* stored, int n) {
  switch (storage) {
    case Storage::kFloat32:
      std::memcpy(stored, values, sizeof(float) * n);
      return;
    case Storage::kBfloat16:
      return NearestBfloat16(values, static_cast<uint16_t*>(stored), n);
    case Storage::kFloat16:
      return NearestFloat16(values, static_cast<uint16_t*>(stored), n);
  }
}

void EncodeStochastic(Storage storage, const float* values, uint64_t stream, void* stored, int n) {
  switch (storage) {
    case Storage::kFloat32:
      std::memcpy(stored, values, sizeof(float) * n);
      return;
    case Storage::kBfloat16:
      return StochasticBfloat16(values, stream, static_cast<uint16_t*>(stored), n);
    case Storage::kFloat16:
      return StochasticFloat16(values, stream, static_cast<uint16_t*>(stored), n);
  }
}

}  // namespace recs
