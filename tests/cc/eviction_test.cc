#include "table/eviction.h"

#include <cmath>
#include <list>
#include <unordered_map>

#include "support.h"

namespace recs::testing {
namespace {

using Numbers = Table<int64_t>;

TableOptions WithEviction(const EvictionOptions& eviction, int dim = 2) {
  TableOptions options = Options(dim);
  options.eviction = eviction;
  return options;
}

EvictionOptions MaxRows(int64_t rows, VictimOrder order = VictimOrder::kLeastRecent) {
  EvictionOptions options;
  options.max_rows = rows;
  options.order = order;
  return options;
}

// A training step on these keys, at this time.
void TrainOn(Numbers& table, const std::vector<int64_t>& keys, Executor& executor) {
  Backward(table, Forward(table, keys, executor), std::vector<float>(keys.size() * table.dim()),
           executor);
  Commit(table, Sgd(0.1f), executor);
}

std::vector<int64_t> Range(int64_t from, int64_t to) {
  std::vector<int64_t> keys;
  for (int64_t key = from; key < to; ++key) keys.push_back(key);
  return keys;
}

TEST(RowsExpireAfterWholeStepsWithoutThem) {
  EvictionOptions eviction;
  eviction.steps_to_live = 2;
  Numbers table(WithEviction(eviction));
  InlineExecutor executor;
  TrainOn(table, {1, 2}, executor);
  TrainOn(table, {2}, executor);
  CHECK_EQ(table.size(), 2);
  TrainOn(table, {2}, executor);
  CHECK_EQ(table.size(), 1);
  const float row[] = {1.0f, 1.0f};
  const int64_t key = 9;
  table.Upsert(&key, row, 1, executor);  // counts as a use in this step
  TrainOn(table, {2}, executor);
  TrainOn(table, {2}, executor);
  CHECK_EQ(table.size(), 2);
  TrainOn(table, {2}, executor);
  CHECK_EQ(table.size(), 1);
  std::vector<int64_t> evicted;
  table.TakeEvictedKeys(&evicted);
  std::sort(evicted.begin(), evicted.end());
  CHECK(evicted == std::vector<int64_t>({1, 9}));
  table.TakeEvictedKeys(&evicted);
  CHECK(evicted.empty());
  CHECK_EQ(table.counts().evictions, 2);
  CHECK_EQ(table.counts().removals, 2);
}

TEST(ALargeTableIsSweptBitByBitAndAtOnceWhenAsked) {
  EvictionOptions eviction;
  eviction.steps_to_live = 1;
  constexpr int64_t kRows = 30000;
  for (const bool at_once : {false, true}) {
    Numbers table(WithEviction(eviction));
    InlineExecutor executor;
    TrainOn(table, Range(0, kRows), executor);
    CHECK_EQ(table.size(), kRows);
    TrainOn(table, {1}, executor);
    const int64_t left = table.size();
    CHECK(left <= kRows - 4000 && left >= kRows - 4096);
    if (at_once) {
      CHECK_EQ(table.Evict(eviction), left - 1);
    } else {
      for (int i = 0; i < 8; ++i) TrainOn(table, {1}, executor);
    }
    CHECK_EQ(table.size(), 1);
  }
}

TEST(RestoredRowsKeepTheirAge) {
  EvictionOptions eviction;
  eviction.seconds_to_live = 100;
  Numbers table(WithEviction(eviction));
  InlineExecutor executor;
  ForwardAt(table, {1}, 1000, executor);
  ForwardAt(table, {2}, 1090, executor);
  MemorySink sink;
  CHECK(Snapshot<int64_t>::Write(table, sink).ok());
  Numbers restored(WithEviction(eviction));
  MemorySource source(sink.blocks);
  CHECK(Snapshot<int64_t>::Read(source, &restored).ok());
  ForwardAt(restored, {3}, 1095, executor);
  CHECK_EQ(restored.Evict(eviction), 0);
  ForwardAt(restored, {3}, 1101, executor);
  ForwardAt(restored, {3}, 5, executor);  // an event that comes late makes nobody older
  CHECK_EQ(restored.Evict(eviction), 0);
  ForwardAt(restored, {3}, 1101, executor);
  ForwardAt(restored, {3}, 1102, executor);
  CHECK_EQ(restored.Evict(eviction), 1);
  CHECK_EQ(Contents(restored).count(1), 0u);
}

TEST(ARestoreKeepsTheBound) {
  InlineExecutor executor;
  for (const int64_t bound : {10, 5000}) {
    Numbers table(Options(2));
    TrainOn(table, Range(0, 20000), executor);
    TrainOn(table, Range(0, bound / 2), executor);
    MemorySink sink;
    CHECK(Snapshot<int64_t>::Write(table, sink).ok());
    Numbers restored(WithEviction(MaxRows(bound)));
    MemorySource source(sink.blocks);
    CHECK(Snapshot<int64_t>::Read(source, &restored).ok());
    CHECK(restored.size() <= bound);
    CHECK(restored.size() > bound * 9 / 10);
    CHECK_EQ(restored.counts().evictions, 20000 - restored.size());
    const auto contents = Contents(restored);
    for (int64_t key = 0; key < bound / 4; ++key) {
      note = "key " + Show(key);
      CHECK_EQ(contents.count(key), 1u);
    }
    TrainOn(restored, Range(50000, 60000), executor);  // the places that became free are taken
    CHECK(restored.size() <= bound);
  }
}

TEST(TheBoundHoldsWhateverComesIn) {
  Random random(4);
  InlineExecutor executor;
  for (const int64_t bound : {1, 2, 63, 100, 4096, 4097, 6000}) {
    for (const auto order : {VictimOrder::kLeastRecent, VictimOrder::kLeastFrequent}) {
      Numbers table(WithEviction(MaxRows(bound, order)));
      for (int i = 0; i < 30; ++i) {
        std::vector<int64_t> keys;
        const auto n = static_cast<int64_t>(random.Below(2 * bound + 50));
        for (int64_t k = 0; k < n; ++k) keys.push_back(static_cast<int64_t>(random.Below(9000)));
        note = "bound " + Show(bound) + ", step " + Show(i);
        const Step step = Forward(table, keys, executor);
        CHECK(table.size() <= bound);
        const std::vector<float> rows(keys.size() * 2, 1.0f);
        if (i % 3 == 0) table.Upsert(keys.data(), rows.data(), n, executor);
        CHECK(table.size() <= bound);
        Backward(table, step, rows, executor);
        Commit(table, Sgd(0.1f), executor);
      }
      CHECK(table.size() > bound * 9 / 10 || bound < 3);
      const auto counts = table.counts();
      CHECK_EQ(counts.rows, counts.insertions - counts.removals);
    }
  }
}

TEST(RowsOfTheLookUpAreNotEvictedForItsNewOnes) {
  InlineExecutor executor;
  for (const int64_t bound : {1000, 64000}) {
    Numbers table(WithEviction(MaxRows(bound)));
    // Half of the bound, so that no shard of a large table is full.
    const auto old = Range(0, bound / 2);
    TrainOn(table, old, executor);
    TrainOn(table, Range(bound, bound + bound / 2), executor);
    std::vector<int64_t> mixed = old;
    for (int64_t key = 2 * bound; key < 2 * bound + bound / 4; ++key) mixed.push_back(key);
    TrainOn(table, mixed, executor);
    CHECK_EQ(table.counts().stale_updates, 0);
    const auto contents = Contents(table);
    for (int64_t key : old) CHECK_EQ(contents.count(key), 1u);
  }
}

TEST(BytesAreBoundedThroughTheFirstSlots) {
  InlineExecutor executor;
  EvictionOptions eviction;
  for (const int64_t bytes : {100'000, 2'000'000}) {
    eviction.max_bytes = bytes;
    Table<std::string_view> table(WithEviction(eviction, 8));
    std::vector<std::string> texts;
    for (int i = 0; i < 40000; ++i) {
      texts.push_back(std::to_string(i) + std::string(i % 50, 'x'));
    }
    std::vector<std::string_view> keys(texts.begin(), texts.end());
    const auto used = [&](int64_t row_bytes) {
      int64_t sum = 0;
      for (const auto& entry : Contents(table)) {
        sum += row_bytes + 16 + 8 + static_cast<int64_t>(entry.first.size());
      }
      return sum;
    };
    const Step step = Forward(table, keys, executor);
    CHECK(used(24 + 32) <= bytes);
    CHECK(used(24 + 32) > bytes * 9 / 10);
    Backward(table, step, std::vector<float>(keys.size() * 8), executor);
    Commit(table, AdagradOf(0.1f), executor);  // rows have twice the floats from here on
    CHECK(used(24 + 64) <= bytes);
    CHECK(used(24 + 64) > bytes * 9 / 10);
  }
}

// How often a stream of keys finds its row, in a cache of the same size that knows everything.
double ExactLru(const std::vector<std::vector<int64_t>>& batches, int64_t bound) {
  std::list<int64_t> order;
  std::unordered_map<int64_t, std::list<int64_t>::iterator> at;
  int64_t hits = 0, all = 0;
  for (const auto& batch : batches) {
    for (int64_t key : batch) {
      const auto found = at.find(key);
      hits += found != at.end();
      ++all;
      if (found != at.end()) order.erase(found->second);
      order.push_front(key);
      at[key] = order.begin();
      if (static_cast<int64_t>(at.size()) > bound) {
        at.erase(order.back());
        order.pop_back();
      }
    }
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

TEST(SampledVictimsAreNearlyAsGoodAsExactOnes) {
  // Keys by Zipf's law, one in batches of 500, whose ranks drift: yesterday's favourites go.
  constexpr int64_t kBound = 20000;
  Random random(8);
  std::vector<std::vector<int64_t>> batches;
  for (int64_t b = 0; b < 600; ++b) {
    std::vector<int64_t> batch;
    for (int i = 0; i < 500; ++i) {
      const double rank = std::exp(random.Unit() * std::log(200000.0));
      batch.push_back(static_cast<int64_t>(rank) + b * 20);
    }
    std::sort(batch.begin(), batch.end());
    batch.erase(std::unique(batch.begin(), batch.end()), batch.end());
    batches.push_back(batch);
  }
  const double exact = ExactLru(batches, kBound);
  Numbers table(WithEviction(MaxRows(kBound)));
  InlineExecutor executor;
  int64_t all = 0, victims = 0, old_victims = 0;
  std::unordered_map<int64_t, int64_t> last_used;
  for (size_t b = 0; b < batches.size(); ++b) {
    TrainOn(table, batches[b], executor);
    all += static_cast<int64_t>(batches[b].size());
    CHECK(table.size() <= kBound);
    // Of the rows that were there, how many are as old as the victims or older.
    std::vector<int64_t> evicted, ages;
    table.TakeEvictedKeys(&evicted);
    for (int64_t key : evicted) {
      ages.push_back(static_cast<int64_t>(b) - last_used[key]);
    }
    victims += static_cast<int64_t>(evicted.size());
    std::vector<int64_t> of_all;
    if (b % 50 == 49) {
      for (const auto& entry : Contents(table)) {
        of_all.push_back(static_cast<int64_t>(b) - last_used[entry.first]);
      }
      std::sort(of_all.begin(), of_all.end());
      const int64_t three_quarters = of_all[of_all.size() * 3 / 4];
      for (int64_t age : ages) old_victims += age >= three_quarters;
      victims += 0;
      CHECK(ages.empty() || old_victims > 0);
    }
    for (int64_t key : batches[b]) last_used[key] = static_cast<int64_t>(b);
  }
  const double sampled = 1.0 - static_cast<double>(table.counts().insertions) / double(all);
  note = "hits: exact " + Show(exact) + ", sampled " + Show(sampled);
  std::printf("%s\n", note.c_str());
  CHECK(victims > 10000);
  CHECK(sampled > exact - 0.01);
}

TEST(PoliciesDoNotDependOnThreads) {
  std::vector<std::string> expected;
  for (int threads = 1; threads <= 3; ++threads) {
    std::vector<std::string> got;
    for (const int64_t bound : {500, 6000}) {
      TableOptions options = Options(3);
      options.eviction = MaxRows(bound);
      options.eviction.steps_to_live = 20;
      options.eviction.seconds_to_live = 1000;
      options.admission.kind = AdmissionKind::kMinimumCount;
      options.admission.count = 2;
      Numbers table(options);
      ThreadExecutor executor(threads);
      Random random(6);
      for (int i = 0; i < 60; ++i) {
        std::vector<int64_t> keys;
        for (int k = 0; k < 2000; ++k) {
          keys.push_back(static_cast<int64_t>(std::exp(random.Unit() * 10)));
        }
        TrainOn(table, keys, executor);
      }
      MemorySink sink;
      CHECK(Snapshot<int64_t>::Write(table, sink).ok());
      got.insert(got.end(), sink.blocks.begin(), sink.blocks.end());
      std::vector<int64_t> evicted;
      table.TakeEvictedKeys(&evicted);
      CHECK(!evicted.empty());
      got.emplace_back(reinterpret_cast<const char*>(evicted.data()), evicted.size() * 8);
    }
    if (threads == 1) expected = got;
    CHECK(got == expected);
  }
}

TEST(TheLogOfEvictedKeysIsBounded) {
  Numbers table(Options(1));
  InlineExecutor executor;
  constexpr int64_t kRows = 1'200'000;
  Forward(table, Range(0, kRows), executor);
  CHECK(table.Evict(MaxRows(1)) >= kRows - 1);
  std::vector<int64_t> evicted;
  table.TakeEvictedKeys(&evicted);
  CHECK_EQ(evicted.size(), size_t{1} << 20);
  CHECK_EQ(table.counts().unlogged_evictions, kRows - 1 - (int64_t{1} << 20));
}

TEST(BadEvictionOptionsAreRefused) {
  CHECK(CheckEviction({}).ok());
  EvictionOptions options;
  options.max_rows = -1;
  CHECK(!CheckEviction(options).ok());
  options = {};
  options.minimum_norm = NAN;
  CHECK(!CheckEviction(options).ok());
  options = {};
  options.seconds_to_live = -5;
  CHECK(!CheckEviction(options).ok());
}

}  // namespace
}  // namespace recs::testing
