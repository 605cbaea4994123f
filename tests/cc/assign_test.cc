#include <string>
#include <vector>

#include "support.h"
#include "table/snapshot.h"

namespace recs::testing {
namespace {

template <class K>
std::vector<K> Keys(int first, int last);
template <>
std::vector<int64_t> Keys(int first, int last) {
  std::vector<int64_t> keys;
  for (int64_t i = first; i < last; ++i) keys.push_back(i * 0x123456789abcd);
  return keys;
}
template <>
std::vector<std::string_view> Keys(int first, int last) {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> made;
    for (int i = 0; i < 1000; ++i) made.push_back("key " + std::to_string(i));
    return made;
  }();
  return {texts.begin() + first, texts.begin() + last};
}

template <class K>
void Train(Table<K>& table, const std::vector<K>& keys) {
  InlineExecutor executor;
  const Step step = Forward(table, keys, executor);
  Backward(table, step, std::vector<float>(keys.size() * table.dim(), 1.0f), executor);
  Commit(table, AdagradOf(0.1f), executor);
}

template <class K>
std::vector<std::string> ContentsOf(const Table<K>& table) {
  MemorySink sink;
  WriteOptions options;
  options.slots = false;
  CHECK(Snapshot<K>::Write(table, sink, options).ok());
  return sink.blocks;
}

template <class K>
std::map<std::string, std::vector<float>> RowsOf(const Table<K>& table) {
  std::vector<typename Table<K>::KeyOut> keys;
  std::vector<float> rows;
  table.Export(&keys, &rows);
  std::map<std::string, std::vector<float>> found;
  for (size_t i = 0; i < keys.size(); ++i) {
    std::string key;
    if constexpr (std::is_same_v<K, int64_t>) {
      key = std::to_string(keys[i]);
    } else {
      key = keys[i];
    }
    found[key].assign(rows.begin() + i * table.dim(), rows.begin() + (i + 1) * table.dim());
  }
  return found;
}

template <class K>
void CheckAssign(Executor& executor) {
  Table<K> table(Options(3));
  Train(table, Keys<K>(0, 600));
  const auto blocks = ContentsOf(table);
  const auto rows = RowsOf(table);
  Train(table, Keys<K>(0, 600));
  const std::vector<K> gone = Keys<K>(100, 200);
  table.Remove(gone.data(), static_cast<int64_t>(gone.size()), executor);
  Train(table, Keys<K>(550, 900));
  MemorySource source(blocks);
  CHECK(Snapshot<K>::Assign(source, &table, executor).ok());
  CHECK(RowsOf(table) == rows);
  CHECK_EQ(table.step(), 3);
  CHECK_EQ(table.optimizer(), "adagrad");
  // Into an empty table, and into an emptied one.
  Table<K> other(Options(3));
  MemorySource again(blocks);
  CHECK(Snapshot<K>::Assign(again, &other, executor).ok());
  CHECK(RowsOf(other) == rows);
  const auto none = ContentsOf(Table<K>(Options(3)));
  MemorySource nothing(none);
  CHECK(Snapshot<K>::Assign(nothing, &other, executor).ok());
  CHECK_EQ(other.size(), 0);
}

TEST(AssignedContentsAreTheTablesOnlyOnes) {
  ThreadExecutor executor(4);
  CheckAssign<int64_t>(executor);
  CheckAssign<std::string_view>(executor);
}

TEST(DamagedContentsAreNotAssigned) {
  InlineExecutor executor;
  Table<int64_t> table(Options(3));
  Train(table, Keys<int64_t>(0, 10));
  auto blocks = ContentsOf(table);
  const auto rows = RowsOf(table);
  blocks[1][20] ^= 1;
  MemorySource source(blocks);
  CHECK(Snapshot<int64_t>::Assign(source, &table, executor).code() == StatusCode::kDataLoss);
  CHECK(RowsOf(table) == rows);
}

}  // namespace
}  // namespace recs::testing
