// Records as they are, for those who look into a table.
#include <algorithm>
#include <mutex>

#include "table/hash.h"
#include "table/table.h"
#include "table/table_reader.h"

namespace recs {
template <class K>
void Table<K>::Metadata(const K* keys, int64_t n, RowMetadata* metadata) const {
  const char* records[kReadKeysAtOnce];
  for (int64_t begin = 0; begin < n; begin += kReadKeysPerTurn) {
    const TableReader<K> reader(shards_, embedding_layout_);
    const int64_t end = std::min(n, begin + kReadKeysPerTurn);
    for (int64_t at = begin; at < end; at += kReadKeysAtOnce) {
      const int64_t count = std::min(kReadKeysAtOnce, end - at);
      reader.Locate(keys + at, count, records);
      for (int64_t i = 0; i < count; ++i) {
        metadata[at + i] = records[i] == nullptr ? RowMetadata() : RowLayout::metadata(records[i]);
      }
    }
  }
}

template <class K>
void Table<K>::VisitRecords(int64_t limit, const Begin& begin, const Visit& visit) const {
  // The table's lock holds writers back from all shards until the last one is visited.
  std::unique_lock<RwLock> lock(mutex_);
  int64_t rows = 0;
  for (const auto& shard : shards_) rows += shard->index.size();
  const bool all = limit < 0 || rows <= limit;
  const auto taken = [&](const Shard& shard) {
    const int64_t size = shard.index.size();
    return all ? size : std::min(size, (limit + kShards - 1) / kShards);
  };
  int64_t total = 0;
  for (const auto& shard : shards_) total += taken(*shard);
  if (!begin(total, layout_, optimizer_)) return;
  int64_t i = 0;
  for (const auto& shard : shards_) {
    std::shared_lock<RwLock> shard_lock(shard->mutex);
    shard->index.ForFirst(static_cast<uint32_t>(taken(*shard)), [&](uint32_t number) {
      const char* record = shard->arena.at(number);
      visit(i++, Keys<K>::Load(record), record);
    });
  }
}

template void Table<int64_t>::Metadata(const int64_t*, int64_t, RowMetadata*) const;
template void Table<std::string_view>::Metadata(const std::string_view*, int64_t,
                                                RowMetadata*) const;
template void Table<int64_t>::VisitRecords(int64_t, const Begin&, const Visit&) const;
template void Table<std::string_view>::VisitRecords(int64_t, const Begin&, const Visit&) const;

}  // namespace recs
