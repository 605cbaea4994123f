// The bytes of a snapshot's blocks: little-endian values one after another, and a checksum.
#ifndef RECS_TABLE_BLOCK_H_
#define RECS_TABLE_BLOCK_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "table/checksum.h"
#include "table/copy_bytes.h"

namespace recs {

constexpr size_t kBlockBytes = size_t{1} << 20;  // a block is closed once it is this large
constexpr uint64_t kMostBlockBytes = uint64_t{1} << 30;  // with its last key or record

// Builds one block.
class BlockWriter {
 public:
  explicit BlockWriter(uint32_t kind) { Put(kind); }

  template <class T>
  void Put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void PutBytes(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  void PutString(std::string_view text) {
    Put<uint64_t>(text.size());
    PutBytes(text.data(), text.size());
  }
  size_t size() const { return bytes_.size(); }
  void Reserve(size_t size) { bytes_.reserve(size); }
  // Goes on in the memory of another string, whose contents do not count.
  void MoveInto(std::string memory) {
    memory.assign(bytes_);
    bytes_ = std::move(memory);
  }
  // Adds the checksum and gives the complete block away.
  std::string Close() {
    Put(Checksum(bytes_.data(), bytes_.size()));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// Reads one block; every Get says whether the bytes were there.
class BlockReader {
 public:
  // `Open` must succeed before anything is read.
  explicit BlockReader(std::string_view block = {}) : rest_(block) {}

  bool Open() {
    if (rest_.size() < sizeof(checksum_)) return false;
    std::memcpy(&checksum_, rest_.data() + rest_.size() - sizeof(checksum_), sizeof(checksum_));
    rest_.remove_suffix(sizeof(checksum_));
    return Checksum(rest_.data(), rest_.size()) == checksum_;
  }
  uint64_t checksum() const { return checksum_; }
  template <class T>
  bool Get(T* value) {
    return GetBytes(value, sizeof(T));
  }
  bool GetBytes(void* data, size_t size) {
    if (rest_.size() < size) return false;
    CopyBytes(data, rest_.data(), size);
    rest_.remove_prefix(size);
    return true;
  }
  bool GetString(std::string_view* text) {
    uint64_t size;
    if (!Get(&size) || rest_.size() < size) return false;
    *text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Skip(size_t size) {
    if (rest_.size() < size) return false;
    rest_.remove_prefix(size);
    return true;
  }
  bool empty() const { return rest_.empty(); }
  size_t size() const { return rest_.size(); }
  const char* data() const { return rest_.data(); }

 private:
  std::string_view rest_;
  uint64_t checksum_ = 0;
};

inline void PutKey(BlockWriter& block, int64_t key) { block.Put(key); }
inline void PutKey(BlockWriter& block, std::string_view key) { block.PutString(key); }
inline bool GetKey(BlockReader& block, int64_t* key) { return block.Get(key); }
inline bool GetKey(BlockReader& block, std::string_view* key) { return block.GetString(key); }

}  // namespace recs

#endif  // RECS_TABLE_BLOCK_H_
