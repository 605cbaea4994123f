#include "table/table.h"

#include <limits>

#include "support.h"

namespace recs::testing {
namespace {

using Numbers = Table<int64_t>;
using Texts = Table<std::string_view>;

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
const std::vector<float> kOnes = {1.0f, 1.0f};

TEST(EveryIntegerIsAKey) {
  Numbers table(Options(2));
  InlineExecutor executor;
  const std::vector<int64_t> keys = {0, -1, 1, kLowest, kHighest, kLowest + 1, int64_t{1} << 32};
  const Step step = Forward(table, keys, executor);
  CHECK_EQ(table.size(), static_cast<int64_t>(keys.size()));
  CHECK_EQ(Contents(table).size(), keys.size());
  for (size_t p = 0; p < keys.size(); ++p) {
    const auto row = FindRow(table, keys[p]);
    CHECK(std::equal(row.begin(), row.end(), step.rows.begin() + step.inverse[p] * 2));
  }
}

TEST(StringsAreComparedByAllTheirBytes) {
  Texts table(Options(2));
  InlineExecutor executor;
  const std::vector<std::string> texts = {"",
                                          std::string(1, '\0'),
                                          std::string(2, '\0'),
                                          "a",
                                          std::string("a\0", 2),
                                          std::string("a\0b", 3),
                                          std::string(100000, 'x'),
                                          std::string(100000, 'x') + "y"};
  const std::vector<std::string_view> keys(texts.begin(), texts.end());
  Forward(table, keys, executor);
  const auto contents = Contents(table);
  CHECK_EQ(contents.size(), texts.size());
  for (const std::string& text : texts) CHECK_EQ(contents.count(text), 1u);
  CHECK_EQ(table.Remove(keys.data() + 6, 1, executor), 1);
  bool found = true;
  FindRow(table, keys[6], &found);
  CHECK(!found);
  FindRow(table, keys[7], &found);
  CHECK(found);
}

TEST(AStaleHandleNeverReachesAnotherRow) {
  Numbers table(Options(2));
  InlineExecutor executor;
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < 2000; ++i) keys.push_back(i);
  const Step step = Forward(table, keys, executor);
  Backward(table, step, std::vector<float>(4000, 1.0f), executor);
  CHECK_EQ(table.Remove(keys.data(), 2000, executor), 2000);
  // All places are taken by others, and the same keys are back in yet others.
  std::vector<int64_t> others;
  for (int64_t i = 0; i < 4000; ++i) others.push_back(3999 - i);
  Forward(table, others, executor);
  Backward(table, step, std::vector<float>(4000, 1.0f), executor);
  const auto before = Contents(table);
  const CommitResult result = Commit(table, Sgd(1.0f), executor);
  CHECK_EQ(result.updated, 0);
  CHECK_EQ(result.stale, 2000);
  CHECK(Contents(table) == before);
}

TEST(ForgedHandlesAreStale) {
  Numbers table(Options(2));
  InlineExecutor executor;
  Forward(table, {1, 2, 3}, executor);
  const auto before = Contents(table);
  for (uint64_t handle : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63, uint64_t{63} << 56,
                          uint64_t{0xffffff} << 32, uint64_t{0xffffffff}}) {
    RowGradients forged;
    forged.rows = {static_cast<int64_t>(handle)};
    forged.sums = kOnes;
    table.pending().Add(forged);
    Commit(table, Sgd(1.0f), executor);
  }
  CHECK_EQ(table.counts().stale_updates, 6);
  CHECK(Contents(table) == before);
}

TEST(RowsStayWhereTheyAreWhenSlotsAreAdded) {
  // Dimension 1 has records of 24 bytes with and without one slot, the others do not.
  for (int dim : {1, 2, 7}) {
    note = "dim " + Show(dim);
    Numbers table(Options(dim));
    InlineExecutor executor;
    std::vector<int64_t> keys;
    for (int64_t i = 0; i < 3000; ++i) keys.push_back(i * 7919);
    const Step step = Forward(table, keys, executor);
    const auto before = Contents(table);
    table.Remove(keys.data(), 100, executor);
    Backward(table, step, std::vector<float>(3000 * dim, 0.5f), executor);
    const CommitResult result = Commit(table, AdagradOf(0.1f), executor);
    CHECK_EQ(result.updated, 2900);
    CHECK_EQ(result.stale, 100);
    CHECK(!result.slots_reset);
    for (const auto& [key, row] : Contents(table)) {
      const float expected = 0.1f * 0.5f / std::sqrt(0.1f + 0.25f + 1e-7f);
      CHECK_NEAR(before.at(key)[0] - row[0], expected, 1e-6);
    }
    CHECK(Commit(table, Sgd(0.1f), executor).slots_reset);
    CHECK(Commit(table, Sgd(0.1f, 0.9f), executor).slots_reset);
    CHECK(!Commit(table, Sgd(0.2f, 0.9f), executor).slots_reset);
    CHECK_EQ(table.slots().vectors, 1);
    CHECK_EQ(table.step(), 4);
  }
}

TEST(CountsAddUp) {
  Texts table(Options(2));
  InlineExecutor executor;
  const auto empty = table.counts();
  Forward<std::string_view>(table, {"a", "bb", "a", "ccc"}, executor);
  const std::vector<std::string_view> removed = {"a", "nobody", "a"};
  CHECK_EQ(table.Remove(removed.data(), 3, executor), 1);
  Forward<std::string_view>(table, {"a"}, executor);
  auto counts = table.counts();
  CHECK_EQ(counts.rows, 3);
  CHECK_EQ(counts.insertions, 4);
  CHECK_EQ(counts.removals, 1);
  table.Clear();
  counts = table.counts();
  CHECK_EQ(counts.rows, 0);
  CHECK_EQ(counts.removals, 4);
  CHECK_EQ(counts.bytes, empty.bytes);
}

TEST(AFailingCommitChangesNothing) {
  Numbers table(Options(2));
  InlineExecutor executor;
  Forward(table, {1}, executor);
  CommitOptions options = Sgd(1.0f);
  options.optimizer.name = "unknown";
  CommitResult result;
  CHECK(!table.Commit(options, table.pending().Take(1.0f), executor, &result).ok());
  CHECK_EQ(table.step(), 0);
  CHECK_EQ(table.optimizer(), "");
}

TEST(ResultsDoNotDependOnThreads) {
  std::map<int64_t, std::vector<float>> first;
  for (int threads : {1, 2, 7}) {
    Numbers table(Options(9));
    ThreadExecutor executor(threads);
    Random random(11);
    for (int i = 0; i < 6; ++i) {
      std::vector<Step> steps;
      for (int call = 0; call < 3; ++call) {
        std::vector<int64_t> keys;
        for (int p = 0; p < 9000; ++p) keys.push_back(static_cast<int64_t>(random.Below(3000)));
        steps.push_back(Forward(table, keys, executor));
      }
      for (const Step& step : steps) {
        std::vector<float> gradient(step.inverse.size() * 9);
        for (float& g : gradient) g = random.Unit() - 0.5f;
        Backward(table, step, gradient, executor);
      }
      CommitOptions options = AdagradOf(0.1f);
      options.clipnorm = 0.7f;
      options.clipvalue = 0.01f;
      Commit(table, options, executor);
    }
    if (threads == 1) first = Contents(table);
    CHECK(Contents(table) == first);
  }
}

TEST(TheClipOfTheNormTakesAllRowsTogether) {
  Numbers table(Options(2));
  InlineExecutor executor;
  const Step step = Forward(table, {1, 2}, executor);
  const auto before = Contents(table);
  Backward(table, step, {3.0f, 0.0f, 0.0f, 4.0f}, executor);
  CommitOptions options = Sgd(1.0f);
  options.clipnorm = 2.5f;
  Commit(table, options, executor);
  CHECK_NEAR(before.at(1)[0] - FindRow<int64_t>(table, 1)[0], 1.5, 1e-6);
  CHECK_NEAR(before.at(2)[1] - FindRow<int64_t>(table, 2)[1], 2.0, 1e-6);
}

// A sanitizer refuses a copy from null even of no bytes, and an empty view's data is null.
TEST(NothingToCopyIsNoCopyFromNull) {
  const std::string_view empty;
  CHECK(empty.data() == nullptr);
  CHECK_EQ(Checksum(nullptr, 0), Checksum("", 0));
  CHECK_EQ(HashKey(empty), HashKey(std::string_view("")));
  Table<std::string_view> table(Options(2));
  const float row[] = {1.0f, 2.0f};
  InlineExecutor executor;
  table.Upsert(&empty, row, 1, executor);
  CHECK(FindRow<std::string_view>(table, "") == std::vector<float>({1.0f, 2.0f}));
  CHECK(BlockReader().GetBytes(nullptr, 0));
}

}  // namespace
}  // namespace recs::testing
