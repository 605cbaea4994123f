// The checksum of a block: tells damage, not forgery.
//
// Four states take every fourth word of eight bytes each, so that a processor works on four at a
// time; what they end in, and the rest, goes into one. Each step is a bijection of the state for a
// given word, so a change within one word always changes the result.
#ifndef RECS_TABLE_CHECKSUM_H_
#define RECS_TABLE_CHECKSUM_H_

#include <cstdint>
#include <cstring>

#include "table/copy_bytes.h"
#include "table/hash.h"

namespace recs {

inline uint64_t Checksum(const char* data, size_t size) {
  constexpr uint64_t kStart = 0x632be59bd9b4e019ULL, kFactor = 0x9e6c63d0876a3f6bULL;
  uint64_t states[4];
  for (uint64_t lane = 0; lane < 4; ++lane) states[lane] = Mix(kStart + size + lane);
  while (size >= 32) {
    uint64_t words[4];
    std::memcpy(words, data, 32);
    for (int lane = 0; lane < 4; ++lane) {
      const uint64_t product = (states[lane] ^ words[lane]) * kFactor;
      states[lane] = product << 29 | product >> 35;
    }
    data += 32;
    size -= 32;
  }
  uint64_t state = 0;
  for (uint64_t of_lane : states) state = Mix(state ^ of_lane);
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    state = Mix(state ^ word);
  }
  uint64_t tail = 0;
  CopyBytes(&tail, data, size);
  return Mix(state ^ tail ^ 0x2545f4914f6cdd1dULL);
}

}  // namespace recs

#endif  // RECS_TABLE_CHECKSUM_H_
