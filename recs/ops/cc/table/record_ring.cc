#include "table/record_ring.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "table/copy_bytes.h"
#include "table/table_reader.h"
#include "table/unique_keys.h"

namespace recs {
namespace {

constexpr int64_t kKeysAtOnce = 64;   // keys whose cache misses overlap
constexpr int64_t kKeysPerTurn = 512;  // keys read under one taking of the shards' locks
constexpr int64_t kRecordsAhead = 4;    // records that are asked for before they are written to

// One key's ring, in the bytes of its row.
class Ring {
 public:
  Ring(char* row, RingShape shape) : row_(row), shape_(shape) {}

  void Push(uint32_t time, const float* record) {
    const int64_t place = written() % shape_.capacity;
    std::memcpy(row_ + TimeAt(place), &time, sizeof(time));
    std::memcpy(row_ + RecordAt(place), record, record_bytes());
    Advance(1);
  }
  // As that many pushes of records that will all have given way.
  void Advance(int64_t count) {
    int64_t total = written() + count;
    // Only its remainder counts, and whether the ring is full, so it need not overflow.
    if (total > kMostWritten) total = shape_.capacity + total % shape_.capacity;
    const auto stored = static_cast<uint32_t>(total);
    std::memcpy(row_, &stored, sizeof(stored));
  }
  // Asks for the cache lines that the next Push writes to.
  void Prefetch() const {
    const int64_t place = written() % shape_.capacity;
    __builtin_prefetch(row_ + TimeAt(place), 1);
    const char* record = row_ + RecordAt(place);
    for (int64_t at = 0; at < record_bytes(); at += 64) __builtin_prefetch(record + at, 1);
  }
  int64_t length() const { return std::min(written(), shape_.capacity); }
  // records (capacity, width) and times (capacity), zeros behind the last.
  void Read(float* records, int64_t* times) const {
    const int64_t count = length();
    const int64_t oldest = count < shape_.capacity ? 0 : written() % shape_.capacity;
    const int64_t until_end = std::min(count, shape_.capacity - oldest);
    CopyBytes(records, row_ + RecordAt(oldest), until_end * record_bytes());
    CopyBytes(records + until_end * shape_.width, row_ + RecordAt(0),
              (count - until_end) * record_bytes());
    std::fill(records + count * shape_.width, records + shape_.capacity * shape_.width, 0.0f);
    for (int64_t i = 0; i < shape_.capacity; ++i) {
      uint32_t time = 0;
      if (i < count) {
        const int64_t place = i < until_end ? oldest + i : i - until_end;
        std::memcpy(&time, row_ + TimeAt(place), sizeof(time));
      }
      times[i] = time;
    }
  }

 private:
  static constexpr int64_t kMostWritten = int64_t{1} << 31;

  int64_t written() const {
    uint32_t stored;
    std::memcpy(&stored, row_, sizeof(stored));
    return stored;
  }
  int64_t record_bytes() const { return 4 * shape_.width; }
  int64_t TimeAt(int64_t place) const { return 4 * (1 + place); }
  int64_t RecordAt(int64_t place) const {
    return 4 * (1 + shape_.capacity) + place * record_bytes();
  }

  char* row_;
  RingShape shape_;
};

// The positions of each distinct key, in order: those of u are [begin[u], begin[u + 1]).
struct Positions {
  Positions(const std::vector<uint32_t>& occurrences, const int32_t* inverse, int64_t n) {
    begin.resize(occurrences.size() + 1);
    for (size_t u = 0; u < occurrences.size(); ++u) begin[u + 1] = begin[u] + occurrences[u];
    of.resize(begin.back());
    std::vector<int64_t> next(begin.begin(), begin.end() - 1);
    for (int64_t p = 0; p < n; ++p) {
      if (inverse[p] >= 0) of[next[inverse[p]]++] = static_cast<int32_t>(p);
    }
  }
  std::vector<int64_t> begin;
  std::vector<int32_t> of;
};

}  // namespace

template <class K>
void RecordRings<K>::Append(Table<K>& table, const K* keys, const bool* mask, int64_t n,
                            const RecordBatch& batch, Executor& executor) {
  const RingShape shape = RingShape::Of(table.options_.initializer);
  std::vector<int32_t> inverse(n);
  const UniqueKeys<K> unique(keys, mask, n, inverse.data(), executor);
  if (unique.size() == 0) return;
  const Positions positions(unique.occurrences, inverse.data(), n);
  int64_t newest = 0;
  for (int32_t p : positions.of) newest = std::max(newest, batch.times[p]);
  std::vector<int64_t> handles(unique.size());
  // The time of a key is that of its own records, noted below.
  table.FindOrInsert(keys, unique, 0, nullptr, nullptr, handles.data(), executor);
  const auto push = [&](Shard& shard, int64_t u) {
    char* record = shard.Resolve(handles[u]);
    if (record == nullptr) return;  // not admitted, or removed meanwhile
    shard.BeforeChange(RowHandle::number(handles[u]));
    Ring ring(RowLayout::embedding(record), shape);
    int64_t at = positions.begin[u];
    const int64_t end = positions.begin[u + 1];
    uint32_t& last_time = RowLayout::header(record)->last_time;
    for (int64_t i = at; i < end; ++i) {
      last_time = std::max(last_time, static_cast<uint32_t>(batch.times[positions.of[i]]));
    }
    if (const int64_t lost = end - at - shape.capacity; lost > 0) {
      ring.Advance(lost);
      at += lost;
    }
    for (; at < end; ++at) {
      const int64_t p = positions.of[at];
      ring.Push(static_cast<uint32_t>(batch.times[p]), batch.records + p * shape.width);
    }
  };
  std::shared_lock<RwLock> lock(table.mutex_);
  table.NoteTime(static_cast<uint32_t>(newest));
  const int64_t cost = (n / kShards + 1) * (100 + shape.width);
  executor.ParallelFor(kShards, cost, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      if (unique.shard_begin[s] == unique.shard_begin[s + 1]) continue;
      Shard& shard = *table.shards_[s];
      std::unique_lock<RwLock> shard_lock(shard.mutex);
      for (int64_t u = unique.shard_begin[s]; u < unique.shard_begin[s + 1]; ++u) {
        if (u + kRecordsAhead < unique.shard_begin[s + 1]) {
          char* next = shard.Resolve(handles[u + kRecordsAhead]);
          if (next != nullptr) Ring(RowLayout::embedding(next), shape).Prefetch();
        }
        push(shard, u);
      }
    }
  });
  // No optimizer applies to records: an append is the step that policies count.
  ++table.step_;
  if (table.options_.eviction.expires()) table.Sweep();
}

template <class K>
void RecordRings<K>::Recent(const Table<K>& table, const K* keys, const bool* mask, int64_t n,
                            const RecentBatch& batch, Executor& executor) {
  const RingShape shape = RingShape::Of(table.options_.initializer);
  const int64_t floats = shape.capacity * shape.width;
  const int64_t chunks = (n + kKeysPerTurn - 1) / kKeysPerTurn;
  executor.ParallelFor(chunks, kKeysPerTurn * (150 + shape.words()), [&](int64_t first, int64_t last) {
    const char* records[kKeysAtOnce];
    for (int64_t c = first; c < last; ++c) {
      const TableReader<K> reader(table.shards_, table.embedding_layout_);
      const int64_t end = std::min(n, (c + 1) * kKeysPerTurn);
      for (int64_t at = c * kKeysPerTurn; at < end; at += kKeysAtOnce) {
        const int64_t count = std::min(kKeysAtOnce, end - at);
        reader.Locate(keys + at, count, records);
        for (int64_t i = 0; i < count; ++i) {
          const int64_t p = at + i;
          float* out = batch.records + p * floats;
          int64_t* times = batch.times + p * shape.capacity;
          if (records[i] == nullptr || (mask != nullptr && !mask[p])) {
            std::fill(out, out + floats, 0.0f);
            std::fill(times, times + shape.capacity, 0);
            batch.lengths[p] = 0;
            continue;
          }
          const Ring ring(const_cast<char*>(RowLayout::embedding(records[i])), shape);
          ring.Read(out, times);
          batch.lengths[p] = static_cast<int32_t>(ring.length());
        }
      }
    }
  });
}

template class RecordRings<int64_t>;
template class RecordRings<std::string_view>;

}  // namespace recs
