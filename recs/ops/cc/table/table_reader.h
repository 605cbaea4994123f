// Holds all shards' locks, shared, while a few thousand rows are read.
#ifndef RECS_TABLE_TABLE_READER_H_
#define RECS_TABLE_TABLE_READER_H_

#include <array>
#include <cstdint>
#include <memory>

#include "table/hash.h"
#include "table/keys.h"
#include "table/shard.h"

namespace recs {

inline constexpr int64_t kReadKeysAtOnce = 64;      // keys whose cache misses overlap
inline constexpr int64_t kReadKeysPerTurn = 2048;   // keys read under one taking of the locks

template <class K>
class TableReader {
 public:
  TableReader(const std::array<std::unique_ptr<Shard>, kShards>& shards, const RowLayout& layout)
      : shards_(shards), row_bytes_(Keys<K>::kPrefix + layout.read_bytes()) {
    for (const auto& shard : shards_) shard->mutex.lock_shared();
  }
  ~TableReader() {
    for (const auto& shard : shards_) shard->mutex.unlock_shared();
  }
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  // The records of up to kReadKeysAtOnce keys, null where a key is unknown. Several passes, so that the misses of
  // the index, and then of the records, are under way together.
  void Locate(const K* keys, int64_t count, const char** records) const {
    uint64_t hashes[kReadKeysAtOnce];
    uint32_t numbers[kReadKeysAtOnce];
    for (int64_t i = 0; i < count; ++i) {
      hashes[i] = HashKey(keys[i]);
      shards_[ShardOf(hashes[i])]->index.Prefetch(TagOf(hashes[i]));
    }
    for (int64_t i = 0; i < count; ++i) {
      const Shard& shard = *shards_[ShardOf(hashes[i])];
      numbers[i] = shard.index.FirstCandidate(TagOf(hashes[i]));
      if (numbers[i] != HashIndex::kNone) {
        PrefetchBytes(shard.arena.at(numbers[i]) - Keys<K>::kPrefix, row_bytes_);
      }
    }
    if constexpr (Keys<K>::kType == KeyType::kString) {
      for (int64_t i = 0; i < count; ++i) {
        if (numbers[i] == HashIndex::kNone) continue;
        Keys<K>::Prefetch(shards_[ShardOf(hashes[i])]->arena.at(numbers[i]));
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      if (numbers[i] == HashIndex::kNone) {
        records[i] = nullptr;
        continue;
      }
      const Shard& shard = *shards_[ShardOf(hashes[i])];
      const auto same = [&](uint32_t number) {
        return Keys<K>::Load(shard.arena.at(number)) == keys[i];
      };
      uint32_t number = numbers[i];
      if (!same(number)) number = shard.index.Find(TagOf(hashes[i]), same);
      records[i] = number == HashIndex::kNone ? nullptr : shard.arena.at(number);
    }
  }

 private:
  const std::array<std::unique_ptr<Shard>, kShards>& shards_;
  size_t row_bytes_;
};

}  // namespace recs

#endif  // RECS_TABLE_TABLE_READER_H_
