// What the tests of the engine share: threads, random numbers, a snapshot in memory, and a table
// with the steps of its kernels in one call.
#ifndef RECS_TESTS_CC_SUPPORT_H_
#define RECS_TESTS_CC_SUPPORT_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "check.h"
#include "table/combine.h"
#include "table/executor.h"
#include "table/snapshot.h"
#include "table/table.h"

namespace recs::testing {

// Splits every job among new threads, however small it is.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(int threads) : threads_(threads) {}

  void ParallelFor(int64_t total, int64_t /*cost*/,
                   const std::function<void(int64_t, int64_t)>& work) override {
    std::vector<std::thread> running;
    const int64_t parts = std::min<int64_t>(threads_, total);
    for (int64_t i = 1; i < parts; ++i) {
      running.emplace_back([&work, i, parts, total] {
        work(total * i / parts, total * (i + 1) / parts);
      });
    }
    if (parts > 0) work(0, total / parts);
    for (std::thread& thread : running) thread.join();
  }
  int threads() const override { return threads_; }

 private:
  int threads_;
};

// Small and repeatable everywhere (the standard's distributions are not).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15ULL); }
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  float Unit() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }  // in [0, 1)

 private:
  uint64_t state_;
};

class MemorySink final : public BlockSink {
 public:
  Status Append(std::string block) override {
    blocks.push_back(std::move(block));
    return {};
  }
  std::vector<std::string> blocks;
};

class MemorySource final : public BlockSource {
 public:
  explicit MemorySource(const std::vector<std::string>& blocks) : blocks_(blocks) {}
  Status Next(std::string* /*storage*/, std::string_view* block, bool* end) override {
    *end = next_ == blocks_.size();
    if (!*end) *block = blocks_[next_++];
    return {};
  }
  std::string name() const override { return "memory"; }

 private:
  const std::vector<std::string>& blocks_;
  size_t next_ = 0;
};

// What a forward pass leaves for the backward pass.
struct Step {
  std::vector<int32_t> inverse;
  std::vector<int64_t> handles;
  std::vector<float> rows;  // (m, dim)
};

template <class K>
Step ForwardAt(Table<K>& table, const std::vector<K>& keys, uint32_t time, Executor& executor) {
  Step step;
  table.pending().BeginForward();
  step.inverse.resize(keys.size());
  const auto n = static_cast<int64_t>(keys.size());
  const UniqueKeys<K> unique(keys.data(), nullptr, n, step.inverse.data(), executor);
  step.handles.resize(unique.size());
  step.rows.resize(unique.size() * table.dim());
  table.FindOrInsert(keys.data(), unique, time, nullptr, step.rows.data(), step.handles.data(),
                     executor);
  return step;
}

template <class K>
Step Forward(Table<K>& table, const std::vector<K>& keys, Executor& executor) {
  return ForwardAt(table, keys, 77, executor);
}

// gradient (n, dim), of every position.
template <class K>
void Backward(Table<K>& table, const Step& step, const std::vector<float>& gradient,
              Executor& executor) {
  Segments batch;
  batch.positions = batch.segments = static_cast<int64_t>(step.inverse.size());
  RowGradients sums = table.pending().Reuse();
  sums.rows = step.handles;
  sums.sums.resize(step.rows.size());
  SumGradients({{batch, gradient.data(), step.inverse.data()}},
               static_cast<int64_t>(step.handles.size()), table.dim(), nullptr, sums.sums.data(),
               executor);
  table.pending().Add(std::move(sums));
}

inline CommitOptions Sgd(float learning_rate, float momentum = 0.0f) {
  CommitOptions options;
  options.optimizer = {"sgd", {momentum, 0.0f}, learning_rate, 0};
  return options;
}

inline CommitOptions AdagradOf(float learning_rate) {
  CommitOptions options;
  options.optimizer = {"adagrad", {0.1f, 1e-7f}, learning_rate, 0};
  return options;
}

inline CommitResult Commit(TableBase& table, const CommitOptions& options, Executor& executor) {
  CommitResult result;
  const Status done = table.Commit(options, table.pending().Take(1.0f), executor, &result);
  if (!done.ok()) Fail(__FILE__, __LINE__, done.message());
  return result;
}

template <class K>
std::vector<float> FindRow(const Table<K>& table, K key, bool* found = nullptr) {
  InlineExecutor executor;
  std::vector<float> row(table.dim());
  bool there = false;
  table.Find(&key, nullptr, 1, row.data(), &there, executor);
  if (found != nullptr) *found = there;
  return row;
}

// Everything the table holds, by key.
template <class K>
auto Contents(const Table<K>& table) {
  std::vector<typename Table<K>::KeyOut> keys;
  std::vector<float> rows;
  table.Export(&keys, &rows);
  std::map<typename Table<K>::KeyOut, std::vector<float>> contents;
  for (size_t i = 0; i < keys.size(); ++i) {
    contents[keys[i]].assign(rows.begin() + i * table.dim(), rows.begin() + (i + 1) * table.dim());
  }
  CHECK_EQ(contents.size(), keys.size());  // no key twice
  return contents;
}

inline TableOptions Options(int dim) {
  TableOptions options;
  options.dim = dim;
  options.initializer = {InitializerKind::kUniform, -1.0f, 1.0f, 5};
  options.name = "tested";
  return options;
}

}  // namespace recs::testing

#endif  // RECS_TESTS_CC_SUPPORT_H_
