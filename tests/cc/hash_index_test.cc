#include "table/hash_index.h"

#include <set>
#include <unordered_map>

#include "support.h"

namespace recs::testing {
namespace {

TEST(IndexFindsWhatWasInsertedThroughGrowthAndErasure) {
  for (int fill : {60, 75}) {
    // Few tags with long runs of equal ones, and many: both wrap around the end of the array.
    for (uint64_t tags : {uint64_t{3}, uint64_t{50}, uint64_t{1} << 32}) {
      Random random(tags + fill);
      HashIndex index(fill);
      std::unordered_map<uint32_t, uint32_t> expected;  // number -> tag
      for (uint32_t i = 0; i < 4000; ++i) {
        note = "operation " + Show(i) + ", tags below " + Show(tags);
        if (random.Below(3) > 0 || expected.empty()) {
          const auto tag = static_cast<uint32_t>(~random.Below(tags));
          index.Reserve();
          index.Insert(tag, i);
          expected[i] = tag;
        } else {
          auto victim = expected.begin();
          index.Erase(victim->second, victim->first);
          expected.erase(victim);
        }
        CHECK_EQ(index.size(), expected.size());
        CHECK(index.size() * 100 <= index.places() * fill);
        if (i % 16 != 0) continue;
        for (const auto& [number, tag] : expected) {
          CHECK_EQ(index.Find(tag, [n = number](uint32_t other) { return other == n; }), number);
        }
      }
      std::set<uint32_t> visited;
      index.ForEach([&](uint32_t number) { CHECK(visited.insert(number).second); });
      CHECK_EQ(visited.size(), expected.size());
    }
  }
}

TEST(IndexAsksOnlyAboutEntriesWithTheTag) {
  HashIndex index(75);
  for (uint32_t n = 0; n < 10; ++n) {
    index.Reserve();
    index.Insert(n * 16, n);  // all of one place
  }
  std::vector<uint32_t> asked;
  CHECK_EQ(index.Find(48, [&](uint32_t n) {
    asked.push_back(n);
    return false;
  }), HashIndex::kNone);
  CHECK(asked == std::vector<uint32_t>{3});
  CHECK_EQ(index.FirstCandidate(48), 3u);
  CHECK_EQ(index.FirstCandidate(7), HashIndex::kNone);
}

TEST(IndexGrowsALittleWithEachEntryAndFindsAllMeanwhile) {
  HashIndex index(75);
  uint32_t n = 0;
  const auto insert = [&] {
    index.Reserve();
    index.Insert(static_cast<uint32_t>(Mix(n)), n);
    ++n;
  };
  while (index.places() < 8192) insert();
  const uint64_t grown = index.bytes() / index.places();  // of the new array alone: 8
  CHECK(grown > 8);
  const auto all_there = [&] {
    for (uint32_t i = 0; i < n; ++i) {
      CHECK_EQ(index.Find(static_cast<uint32_t>(Mix(i)), [i](uint32_t m) { return m == i; }), i);
    }
    uint32_t visited = 0;
    index.ForEach([&](uint32_t) { ++visited; });
    CHECK_EQ(visited, n);
  };
  uint32_t insertions = 0;
  for (; index.bytes() > index.places() * 8; ++insertions) {
    all_there();
    insert();
  }
  all_there();
  // 4096 old places: not all at once, and long before the next growth.
  CHECK(insertions > 100);
  CHECK(insertions < 400);
}

TEST(IndexGivesItsMemoryBackWhenCleared) {
  HashIndex index(60);
  const uint64_t empty = index.bytes();
  for (uint32_t n = 0; n < 10000; ++n) {
    index.Reserve();
    index.Insert(n, n);
  }
  index.Clear();
  CHECK_EQ(index.bytes(), empty);
  CHECK_EQ(index.size(), 0u);
  CHECK_EQ(index.Find(5, [](uint32_t) { return true; }), HashIndex::kNone);
  index.Reserve();
  index.Insert(5, 1);
  CHECK_EQ(index.FirstCandidate(5), 1u);
}

}  // namespace
}  // namespace recs::testing
