// Which rows a table gives up, and when.
//
// A row *expires* by itself: not looked up by training for too many steps or seconds, or close to
// zero. A *bound* on rows or bytes is kept by giving up the row that is worth least: the least
// recently or the least frequently used one. See docs/admission_and_eviction.md.
#ifndef RECS_TABLE_EVICTION_H_
#define RECS_TABLE_EVICTION_H_

#include <cstdint>
#include <vector>

#include "table/row_layout.h"
#include "table/status.h"

namespace recs {

enum class VictimOrder : int32_t { kLeastRecent = 0, kLeastFrequent = 1 };

// Zero turns a rule off.
struct EvictionOptions {
  int64_t steps_to_live = 0;
  int64_t seconds_to_live = 0;
  float minimum_norm = 0.0f;
  int64_t minimum_norm_steps = 0;  // how long a row must rest before its norm is looked at
  int64_t max_rows = 0;
  int64_t max_bytes = 0;
  VictimOrder order = VictimOrder::kLeastRecent;

  bool expires() const { return steps_to_live > 0 || seconds_to_live > 0 || minimum_norm > 0.0f; }
  bool bounded() const { return max_rows > 0 || max_bytes > 0; }
};

// What is wrong with the options, or nothing.
Status CheckEviction(const EvictionOptions& options);

// The moment that rows are judged at.
struct Moment {
  uint32_t step = 0;  // updates done
  uint32_t time = 0;  // of LookupTimes; 0 before any
};

// Whole steps that a row has rested, beyond the one that used it last.
inline uint32_t RestedSteps(const RowHeader& row, const Moment& now) {
  const uint32_t since = now.step - row.last_step;
  return since == 0 ? 0 : since - 1;
}

inline bool ExpiresByAge(const EvictionOptions& options, const RowHeader& row, const Moment& now) {
  if (options.steps_to_live > 0 && RestedSteps(row, now) >= options.steps_to_live) return true;
  return options.seconds_to_live > 0 && row.last_time != 0 && now.time > row.last_time &&
         now.time - row.last_time > options.seconds_to_live;
}

inline bool MayExpireByNorm(const EvictionOptions& options, const RowHeader& row,
                            const Moment& now) {
  return options.minimum_norm > 0.0f && RestedSteps(row, now) >= options.minimum_norm_steps;
}

// A row as one that may have to go. Ranks order rows by their worth, lowest first; equal ones go by
// the hash of their keys, so that the order is total and the same everywhere.
struct Victim {
  uint64_t rank;
  uint64_t hash;
  int64_t handle;
  bool operator<(const Victim& other) const {
    return rank != other.rank ? rank < other.rank : hash < other.hash;
  }
};

inline uint64_t RankOf(VictimOrder order, const RowHeader& row) {
  return order == VictimOrder::kLeastRecent ? uint64_t{row.last_step} << 32 | row.count
                                            : uint64_t{row.count} << 32 | row.last_step;
}

// The next rows to go, chosen some at a time.
struct VictimPool {
  std::vector<Victim> queue;  // the next one last
  uint32_t hand = 0;          // where the next look for victims begins
  uint32_t step = 0;          // in which they were chosen
};

// Up to how many rows, by its bound, a table keeps to its bound as a whole. Beyond, each shard keeps
// to its share.
constexpr int64_t kExactRows = 4096;
// What the index takes for a row, about.
constexpr int64_t kIndexBytesPerRow = 16;

// How many rows and bytes may be there, in a shard or in all. At least one row always may.
struct Room {
  int64_t rows = 0;   // 0 for any number
  int64_t bytes = 0;

  bool Exceeded(int64_t by_rows, int64_t by_bytes) const {
    return by_rows > 1 && ((rows > 0 && by_rows > rows) || (bytes > 0 && by_bytes > bytes));
  }
};

// Of the whole table.
inline Room RoomOf(const EvictionOptions& options) {
  return {options.max_rows, options.max_bytes};
}
// Of one shard out of `shards`: what does not divide evenly goes to the first ones.
Room RoomOf(const EvictionOptions& options, int shard, int shards);

// How many keys, and bytes of them, may wait for admission in one shard out of `shards`: as many as
// rows, and what `bytes` says of all shards.
Room RoomOfWaiting(const EvictionOptions& options, int64_t bytes, int shard, int shards);

// Whether the bound is kept by the table as a whole, for rows of so many bytes at least.
bool IsExact(const EvictionOptions& options, int64_t row_bytes);

}  // namespace recs

#endif  // RECS_TABLE_EVICTION_H_
