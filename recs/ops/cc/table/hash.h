// Hashing of keys: 64 bits that pick the shard, the place in its index and the initial row.
//
// The functions are part of the table's contract (an initial row is a function of seed and key),
// so a change of one constant here changes every new row. `recs/ops/reference` holds the same
// functions in NumPy and the tests compare the two.
#ifndef RECS_TABLE_HASH_H_
#define RECS_TABLE_HASH_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "table/copy_bytes.h"

namespace recs {

// A bijection of 64-bit words in which every input bit reaches every output bit.
inline uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0x9e6c63d0876a3f6bULL;
  x ^= x >> 29;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  return x;
}

inline uint64_t HashKey(int64_t key) { return Mix(static_cast<uint64_t>(key)); }

// Bytes, eight at a time; the length is mixed in, so that trailing zero bytes count.
inline uint64_t HashBytes(const char* data, size_t size, uint64_t seed = 0) {
  uint64_t state = Mix(seed + 0x632be59bd9b4e019ULL + size);
  while (size >= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    state = Mix(state ^ word);
    data += 8;
    size -= 8;
  }
  uint64_t tail = 0;
  CopyBytes(&tail, data, size);
  return Mix(state ^ tail ^ 0x2545f4914f6cdd1dULL);
}

inline uint64_t HashKey(std::string_view key) { return HashBytes(key.data(), key.size()); }

}  // namespace recs

#endif  // RECS_TABLE_HASH_H_
