#include "table/eviction.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace recs {
namespace {

Status Negative(const char* what, const std::string& received) {
  return InvalidArgument(std::string(what) + " must not be negative. Received: " + received +
                         " (in the eviction policy of a table).");
}

int64_t Share(int64_t all, int shard, int shards) {
  if (all == 0) return 0;
  const int64_t share = all / shards + (shard < all % shards ? 1 : 0);
  return share > 0 ? share : 1;
}

}  // namespace

Status CheckEviction(const EvictionOptions& options) {
  const struct {
    const char* name;
    int64_t value;
  } numbers[] = {{"`steps_to_live`", options.steps_to_live},
                 {"`seconds_to_live`", options.seconds_to_live},
                 {"`minimum_norm_steps`", options.minimum_norm_steps},
                 {"`max_rows`", options.max_rows},
                 {"`max_bytes`", options.max_bytes}};
  for (const auto& number : numbers) {
    if (number.value < 0) return Negative(number.name, std::to_string(number.value));
  }
  if (!(options.minimum_norm >= 0.0f) || std::isinf(options.minimum_norm)) {
    return Negative("`minimum_norm`", std::to_string(options.minimum_norm));
  }
  return {};
}

Room RoomOf(const EvictionOptions& options, int shard, int shards) {
  return {Share(options.max_rows, shard, shards), Share(options.max_bytes, shard, shards)};
}

Room RoomOfWaiting(const EvictionOptions& options, int64_t bytes, int shard, int shards) {
  constexpr int64_t kFewest = 64;  // of a shard, under a bound of rows
  const int64_t rows = Share(options.max_rows, shard, shards);
  return {rows == 0 ? 0 : std::max(rows, kFewest), Share(bytes, shard, shards)};
}

bool IsExact(const EvictionOptions& options, int64_t row_bytes) {
  return (options.max_rows > 0 && options.max_rows <= kExactRows) ||
         (options.max_bytes > 0 && options.max_bytes / row_bytes <= kExactRows);
}

}  // namespace recs
