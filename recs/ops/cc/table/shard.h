// One of a table's 64 parts: an index, the records it points to, and the lock that guards both.
//
// Which shard a key belongs to, and its tag there, are different bits of its hash.
#ifndef RECS_TABLE_SHARD_H_
#define RECS_TABLE_SHARD_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "table/eviction.h"
#include "table/hash_index.h"
#include "table/item_scan.h"
#include "table/row_arena.h"
#include "table/row_layout.h"
#include "table/rw_lock.h"

namespace recs {

constexpr int kShards = 64;

inline int ShardOf(uint64_t hash) { return static_cast<int>(hash >> 58); }
inline uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash); }

// A record as callers outside the locks name it. It stays valid until the key is removed; after
// that the generation differs, so that a stale handle never reaches another key's row.
struct RowHandle {
  static int64_t Make(int shard, uint32_t generation, uint32_t number) {
    return static_cast<int64_t>(uint64_t(shard) << 56 | uint64_t(generation & 0xffffffu) << 32 |
                                number);
  }
  // Of a key that has no row because it was not admitted: never resolves, and is grouped with the
  // handles of its shard.
  static int64_t None(int shard) { return Make(shard, kNoGeneration, 0xffffffffu); }
  static bool IsNone(int64_t handle) {
    return shard(handle) < kShards && generation(handle) == kNoGeneration &&
           number(handle) == 0xffffffffu;
  }
  static int shard(int64_t handle) { return static_cast<int>(uint64_t(handle) >> 56); }
  static uint32_t generation(int64_t handle) { return uint64_t(handle) >> 32 & 0xffffffu; }
  static uint32_t number(int64_t handle) { return static_cast<uint32_t>(handle); }

  // The generation of a record without a key.
  static constexpr uint32_t kNoGeneration = 0xffffffu;
};

struct Shard {
  // Shards fill to between 60 and 75 percent before they grow, each to a mark of its own: they have
  // about as many keys, and would otherwise all grow in the same step.
  static double Fill(int id) { return 60.0 + 15.0 * id / kShards; }
  Shard(int id, const RowLayout& layout, std::shared_ptr<SlabPool> pool)
      : index(Fill(id)), arena(layout.stride(), layout.key_prefix(), std::move(pool)) {}

  mutable RwLock mutex;
  HashIndex index;
  RowArena arena;
  uint64_t key_bytes = 0;  // of string keys, outside the records
  std::vector<double> row_sum;  // (dim) of all rows, or empty when nobody asks for their mean
  uint32_t generations = 0;
  int64_t insertions = 0;  // since the table was made
  int64_t removals = 0;    // evictions included
  int64_t evictions = 0;
  int64_t unlogged_evictions = 0;
  int64_t not_admitted = 0;       // distinct keys of training look-ups that were turned away
  int64_t training_lookups = 0;   // positions that training looked up
  int64_t training_distinct = 0;  // distinct keys of each look-up
  int64_t training_hits = 0;      // positions whose key was there before
  VictimPool victims;
  ItemScan* scan = nullptr;       // of a save that is under way
  const uint32_t* epoch = nullptr;  // the table's, when changes are followed
  std::vector<uint32_t> stamps;   // then for each record the epoch of its last change

  // To be called before anything of a record changes, and before its place is given to a key.
  void BeforeChange(uint32_t number) {
    if (__builtin_expect(watched_, 0)) Note(number);
  }
  // Scan or epoch were set or taken away.
  void SetWatched() { watched_ = scan != nullptr || epoch != nullptr; }
  // Makes room to note changes of the next new record. Throws std::bad_alloc.
  void ReserveStamp() {
    if (epoch == nullptr || stamps.size() > arena.high_water()) return;
    stamps.resize(size_t{arena.high_water()} + 1, 0);
  }

  static constexpr uint32_t kFreed = RowHandle::kNoGeneration;
  uint32_t NextGeneration() {
    generations = (generations + 1) % kFreed;
    return generations;
  }

  // The record, or null when the handle is stale or never was one.
  char* Resolve(int64_t handle) const {
    const uint32_t number = RowHandle::number(handle);
    if (number >= arena.high_water()) return nullptr;
    char* record = arena.at(number);
    const uint32_t generation = RowLayout::header(record)->generation;
    const bool live = generation != kFreed && generation == RowHandle::generation(handle);
    return live ? record : nullptr;
  }

 private:
  void Note(uint32_t number) noexcept {
    if (scan != nullptr) scan->BeforeChange(number);
    if (epoch != nullptr) stamps[number] = *epoch;
  }

  bool watched_ = false;
};

// Asks for every cache line of [data, data + bytes).
inline void PrefetchBytes(const char* data, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(data + at);
  __builtin_prefetch(data + bytes - 1);  // records do not begin with a line, so one more may end them
}

}  // namespace recs

#endif  // RECS_TABLE_SHARD_H_
