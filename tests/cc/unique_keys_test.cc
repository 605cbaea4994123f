#include "table/unique_keys.h"

#include <map>
#include <set>

#include "support.h"

namespace recs::testing {
namespace {

template <class K>
void CheckNumbering(const std::vector<K>& keys, const std::vector<char>& mask) {
  const auto n = static_cast<int64_t>(keys.size());
  const bool* given = mask.empty() ? nullptr : reinterpret_cast<const bool*>(mask.data());
  InlineExecutor one;
  std::vector<int32_t> inverse(n, -7);
  const UniqueKeys<K> unique(keys.data(), given, n, inverse.data(), one);
  std::map<K, int32_t> number;
  for (int64_t p = 0; p < n; ++p) {
    if (given != nullptr && !given[p]) {
      CHECK_EQ(inverse[p], -1);
      continue;
    }
    CHECK(inverse[p] >= 0 && inverse[p] < unique.size());
    const auto first = number.emplace(keys[p], inverse[p]);
    CHECK_EQ(first.first->second, inverse[p]);
    if (first.second) CHECK_EQ(unique.first[inverse[p]], p);
  }
  CHECK_EQ(static_cast<int64_t>(number.size()), unique.size());
  CHECK_EQ(unique.shard_begin[0], 0);
  CHECK_EQ(unique.shard_begin[kShards], unique.size());
  for (int s = 0; s < kShards; ++s) {
    for (int64_t u = unique.shard_begin[s]; u < unique.shard_begin[s + 1]; ++u) {
      CHECK_EQ(unique.hashes[u], HashKey(keys[unique.first[u]]));
      CHECK_EQ(ShardOf(unique.hashes[u]), s);
      if (u > unique.shard_begin[s]) CHECK(unique.first[u - 1] < unique.first[u]);
    }
  }
  // The same for any number of threads.
  for (int threads : {2, 3, 8}) {
    ThreadExecutor many(threads);
    std::vector<int32_t> other(n, -7);
    const UniqueKeys<K> again(keys.data(), given, n, other.data(), many);
    CHECK(other == inverse);
    CHECK(again.first == unique.first);
    CHECK(again.hashes == unique.hashes);
  }
}

TEST(UniqueKeysNumberEveryDistinctKeyOnce) {
  for (int64_t n : {0, 1, 100, 8191, 40000}) {
    for (uint64_t distinct : {uint64_t{1}, uint64_t{70}, uint64_t{1} << 40}) {
      note = "n " + Show(n) + ", distinct " + Show(distinct);
      Random random(n + distinct);
      std::vector<int64_t> numbers;
      std::vector<std::string> texts;
      std::vector<char> mask;
      for (int64_t p = 0; p < n; ++p) {
        numbers.push_back(static_cast<int64_t>(random.Below(distinct) - distinct / 2));
        texts.push_back(std::to_string(numbers.back()) + std::string(p % 3, '\0'));
        mask.push_back(random.Below(4) > 0);
      }
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      CheckNumbering(numbers, {});
      CheckNumbering(numbers, mask);
      CheckNumbering(numbers, std::vector<char>(n, 0));
      CheckNumbering(views, mask);
    }
  }
}

}  // namespace
}  // namespace recs::testing
