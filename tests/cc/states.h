// The whole of a saved state, taken apart, so that two can be compared whatever their order.
#ifndef RECS_TESTS_CC_STATES_H_
#define RECS_TESTS_CC_STATES_H_

#include <functional>
#include <set>

#include "support.h"
#include "table/snapshot_format.h"

namespace recs::testing {

struct State {
  SnapshotHeader header;
  std::map<std::string, std::string> records;   // by key: counts, row and slots
  std::map<std::string, uint32_t> waiting;
  std::map<uint64_t, std::string> counters;     // runs, by their first counter
  std::multiset<std::string> removed;

  // Without its slots; all others are whole.
  std::map<std::string, std::string> Rows() const {
    std::map<std::string, std::string> rows;
    const size_t size = RecordBytes(RowLayout(header.dim, header.storage, {}));
    for (const auto& [key, values] : records) rows[key] = values.substr(0, size);
    return rows;
  }
};

inline std::string KeyText(int64_t key) { return std::to_string(key); }
inline std::string KeyText(std::string_view key) { return std::string(key); }

template <class K>
State StateOf(const std::vector<std::string>& blocks) {
  State state;
  for (size_t i = 0; i < blocks.size(); ++i) {
    BlockReader block(blocks[i]);
    uint32_t kind = 0, filter = 0;
    CHECK(block.Open() && block.Get(&kind));
    if (i == 0) CHECK(kind == kHeaderBlock && GetHeader(block, &state.header));
    const size_t size = RecordBytes(LayoutOf(state.header));
    K key;
    while (kind == kRecordBlock && !block.empty()) {
      CHECK(GetKey(block, &key));
      std::string values(size, '\0');
      CHECK(block.GetBytes(values.data(), size));
      CHECK(state.records.emplace(KeyText(key), values).second);
    }
    while (kind == kRemovalBlock && !block.empty()) {
      CHECK(GetKey(block, &key));
      state.removed.insert(KeyText(key));
    }
    if (kind != kFilterBlock) continue;
    CHECK(block.Get(&filter));
    if (filter == 1) {
      CHECK(block.Skip(8));
      while (!block.empty()) {
        uint32_t count;
        CHECK(GetKey(block, &key) && block.Get(&count));
        CHECK(state.waiting.emplace(KeyText(key), count).second);
      }
      continue;
    }
    uint32_t width;
    CHECK(block.Get(&width) && block.Skip(12));
    while (!block.empty()) {
      uint64_t first, count;
      CHECK(block.Get(&first) && block.Get(&count));
      std::string run(count * width, '\0');
      CHECK(block.GetBytes(run.data(), run.size()));
      CHECK(state.counters.emplace(first, run).second);
    }
  }
  return state;
}

template <class K>
State StateOf(const Table<K>& table, const WriteOptions& options = {}) {
  MemorySink sink;
  const Status written = Snapshot<K>::Write(table, sink, options);
  if (!written.ok()) Fail(__FILE__, __LINE__, written.message());
  return StateOf<K>(sink.blocks);
}

inline void CheckSame(const State& got, const State& expected) {
  CHECK_EQ(got.header.step, expected.header.step);
  CHECK_EQ(got.header.rows, expected.header.rows);
  CHECK_EQ(got.header.newest_time, expected.header.newest_time);
  CHECK_EQ(got.header.optimizer, expected.header.optimizer);
  CHECK_EQ(got.header.initializer.seed, expected.header.initializer.seed);
  CHECK(got.header.slots == expected.header.slots);
  CHECK(got.header.initial_slot_values == expected.header.initial_slot_values);
  CHECK_EQ(got.header.hyperparameters.size(), expected.header.hyperparameters.size());
  for (size_t i = 0; i < got.header.hyperparameters.size(); ++i) {
    CHECK_EQ(got.header.hyperparameters[i].name, expected.header.hyperparameters[i].name);
    CHECK_EQ(got.header.hyperparameters[i].value, expected.header.hyperparameters[i].value);
  }
  CHECK(got.records == expected.records);
  CHECK(got.waiting == expected.waiting);
  CHECK(got.counters == expected.counters);
}

// Does something to the table each time that a block has been written.
class BusySink final : public BlockSink {
 public:
  explicit BusySink(std::function<void()> work) : work_(std::move(work)) {}
  Status Append(std::string block) override {
    blocks.push_back(std::move(block));
    work_();
    return {};
  }
  std::vector<std::string> blocks;

 private:
  std::function<void()> work_;
};

// A table's keys, by number.
template <class K>
K NthKey(uint64_t i);
template <>
inline int64_t NthKey(uint64_t i) {
  return static_cast<int64_t>(i * 0x123456789abcdULL);
}
template <>
inline std::string_view NthKey(uint64_t i) {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> made;
    for (int j = 0; j < 20000; ++j) {
      made.push_back(std::string(j % 30, 'k') + std::to_string(j));
    }
    return made;
  }();
  return texts[i];
}

// Something random happens to a table: training most of the time.
template <class K>
class History {
 public:
  History(Table<K>& table, uint64_t seed, uint64_t keys)
      : table_(table), random_(seed), keys_(keys) {}

  void Train(int n, bool momentum = false) {
    const auto keys = SomeKeys(n);
    const Step step = ForwardAt(table_, keys, static_cast<uint32_t>(1000 + table_.step()), executor_);
    std::vector<float> gradient(keys.size() * table_.dim());
    for (float& g : gradient) g = random_.Unit() - 0.5f;
    Backward(table_, step, gradient, executor_);
    CommitOptions options = momentum ? Sgd(0.1f, 0.5f) : AdagradOf(0.1f);
    options.optimizer.learning_rate = 0.1f + 0.01f * random_.Unit();
    Commit(table_, options, executor_);
  }
  void Upsert(int n) {
    const auto keys = SomeKeys(n);
    std::vector<float> rows(keys.size() * table_.dim());
    for (float& value : rows) value = random_.Unit();
    table_.Upsert(keys.data(), rows.data(), n, executor_);
  }
  void Remove(int n) {
    const auto keys = SomeKeys(n);
    table_.Remove(keys.data(), n, executor_);
  }
  void Any(int n) {
    switch (random_.Below(8)) {
      case 0:
        return Upsert(n);
      case 1:
        return Remove(n);
      case 2: {
        EvictionOptions old;
        old.steps_to_live = 4;
        table_.Evict(old);
        return;
      }
      default:
        return Train(n);
    }
  }
  Random& random() { return random_; }

 private:
  std::vector<K> SomeKeys(int n) {
    std::vector<K> keys;
    for (int i = 0; i < n; ++i) keys.push_back(NthKey<K>(random_.Below(keys_)));
    return keys;
  }

  Table<K>& table_;
  Random random_;
  uint64_t keys_;
  InlineExecutor executor_;
};

}  // namespace recs::testing

#endif  // RECS_TESTS_CC_STATES_H_
