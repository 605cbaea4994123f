// The two kinds of keys, and how a record stores one. No key is reserved, and equality is of keys,
// never of hashes.
//
// An int64 is in the record's header. A string of up to 16 bytes is in front of the header, which
// then holds its length: comparing it costs no further miss, and storing it no allocation. The
// header of a longer one points to its length and bytes.
#ifndef RECS_TABLE_KEYS_H_
#define RECS_TABLE_KEYS_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "table/copy_bytes.h"
#include "table/hash.h"
#include "table/row_layout.h"

namespace recs {

enum class KeyType : uint8_t { kInt64 = 1, kString = 2 };

template <class K>
struct Keys;

template <>
struct Keys<int64_t> {
  static constexpr KeyType kType = KeyType::kInt64;
  static constexpr size_t kPrefix = 0;  // bytes in front of a record's header that are the key's

  static void Store(int64_t key, char* record) {
    RowLayout::header(record)->key = static_cast<uint64_t>(key);
  }
  static int64_t Load(const char* record) {
    return static_cast<int64_t>(RowLayout::header(record)->key);
  }
  static void Release(char* /*record*/) {}
  static void Prefetch(const char* /*record*/) {}
  static size_t bytes(int64_t /*key*/) { return 0; }  // outside the record
};

template <>
struct Keys<std::string_view> {
  static constexpr KeyType kType = KeyType::kString;
  static constexpr size_t kPrefix = 16;

  // Throws std::bad_alloc and leaves the record as it was.
  static void Store(std::string_view key, char* record) {
    if (key.size() <= kPrefix) {
      CopyBytes(record - kPrefix, key.data(), key.size());
      RowLayout::header(record)->key = key.size();
      return;
    }
    char* block = new char[sizeof(uint64_t) + key.size()];
    const uint64_t size = key.size();
    std::memcpy(block, &size, sizeof(size));
    CopyBytes(block + sizeof(size), key.data(), key.size());
    RowLayout::header(record)->key = reinterpret_cast<uintptr_t>(block);
  }
  static std::string_view Load(const char* record) {
    const uint64_t stored = RowLayout::header(record)->key;
    if (IsInside(stored)) return {record - kPrefix, static_cast<size_t>(stored)};
    const char* block = reinterpret_cast<const char*>(stored);
    uint64_t size;
    std::memcpy(&size, block, sizeof(size));
    return {block + sizeof(size), static_cast<size_t>(size)};
  }
  static void Release(char* record) {
    const uint64_t stored = RowLayout::header(record)->key;
    if (!IsInside(stored)) delete[] reinterpret_cast<char*>(stored);
  }
  // The bytes of a long key are a miss of their own.
  static void Prefetch(const char* record) {
    const uint64_t stored = RowLayout::header(record)->key;
    if (!IsInside(stored)) __builtin_prefetch(reinterpret_cast<const char*>(stored));
  }
  static size_t bytes(std::string_view key) {
    return key.size() <= kPrefix ? 0 : sizeof(uint64_t) + key.size();
  }

 private:
  // No block of memory has so low an address.
  static bool IsInside(uint64_t stored) { return stored <= kPrefix; }
};

}  // namespace recs

#endif  // RECS_TABLE_KEYS_H_
