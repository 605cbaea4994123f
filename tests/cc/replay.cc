// Saves beside a trainer, an evictor and two readers: each file holds the table of the step that it
// names, as a replay of the training alone gives it.
//
//   replay STEPS
//
// The evictor adds and evicts keys of its own, which no replay can know of; what is compared are
// the trainer's.
#include <unistd.h>

#include <atomic>

#include "states.h"
#include "table/file_sink.h"
#include "table/file_source.h"

namespace recs::testing {
namespace {

constexpr int kDim = 24;
constexpr uint64_t kTrained = 6000;  // keys from here on are the evictor's
constexpr uint64_t kKeys = 9000;

TableOptions WithWaiting() {
  TableOptions options = Options(kDim);
  options.initializer = {InitializerKind::kConstant, 0.5f, 0.0f, 0};
  options.admission.kind = AdmissionKind::kMinimumCount;
  options.admission.count = 3;
  return options;
}

// The trainer's part of a state, as one number.
template <class K>
uint64_t Fingerprint(const State& state) {
  std::set<std::string> own;
  for (uint64_t i = 0; i < kTrained; ++i) own.insert(KeyText(NthKey<K>(i)));
  uint64_t sum = HashKey(state.header.step);
  for (const auto& [key, values] : state.records) {
    if (own.count(key) == 0) continue;
    const std::string both = key + "=" + values;
    sum += HashBytes(both.data(), both.size());
  }
  for (const auto& [key, count] : state.waiting) sum += Mix(HashKey(std::string_view(key)) + count);
  return sum;
}

template <class K>
class Trainer {
 public:
  // The first commit makes the slots before it updates rows, and a save may fall between the two: it
  // is made here, where there is nothing to update.
  Trainer(Table<K>& table, Executor& executor) : table_(table), executor_(executor) {
    Commit(table_, AdagradOf(0.01f), executor_);
  }
  void ForwardPass() {
    std::vector<K> keys;
    for (int i = 0; i < 1500; ++i) keys.push_back(NthKey<K>(random_.Below(kTrained)));
    step_ = ForwardAt(table_, keys, static_cast<uint32_t>(1000 + table_.step()), executor_);
    gradient_.assign(keys.size() * kDim, 0.0f);
    for (float& g : gradient_) g = 0.01f * random_.Unit();
  }
  void Update() {
    Backward(table_, step_, gradient_, executor_);
    Commit(table_, AdagradOf(0.01f), executor_);
  }

 private:
  Table<K>& table_;
  Executor& executor_;
  Random random_{11};
  Step step_;
  std::vector<float> gradient_;
};

template <class K>
void SaveBesideTraining(int steps) {
  // What training alone gives after each update, and after the forward pass that follows it.
  std::map<int64_t, std::set<uint64_t>> expected;
  {
    Table<K> table(WithWaiting());
    InlineExecutor executor;
    Trainer<K> trainer(table, executor);
    for (int i = 0; i <= steps; ++i) {
      std::set<uint64_t>& states = expected[table.step()];
      states.insert(Fingerprint<K>(StateOf(table)));
      trainer.ForwardPass();
      states.insert(Fingerprint<K>(StateOf(table)));
      trainer.Update();
    }
  }
  Table<K> table(WithWaiting());
  ThreadExecutor of_trainer(2);
  Trainer<K> trainer(table, of_trainer);
  std::atomic<bool> training{true};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    note = "trainer";
    for (int i = 0; i < steps; ++i) {
      trainer.ForwardPass();
      std::this_thread::yield();
      trainer.Update();
    }
    training = false;
  });
  threads.emplace_back([&] {
    note = "evictor";
    Random random(5);
    InlineExecutor executor;
    EvictionOptions zeros;
    zeros.minimum_norm = 0.01f;
    const std::vector<float> rows(100 * kDim, 0.0f);
    while (training) {
      std::vector<K> keys;
      for (int i = 0; i < 100; ++i) {
        keys.push_back(NthKey<K>(kTrained + random.Below(kKeys - kTrained)));
      }
      table.Upsert(keys.data(), rows.data(), 100, executor);
      if (random.Below(10) == 0) CHECK(table.Evict(zeros) >= 0);
      std::this_thread::yield();
    }
  });
  for (uint64_t seed : {3, 4}) {
    threads.emplace_back([&, seed] {
      note = "reader";
      Random random(seed);
      InlineExecutor executor;
      std::vector<float> rows(500 * kDim);
      while (training) {
        std::vector<K> keys;
        for (int i = 0; i < 500; ++i) keys.push_back(NthKey<K>(random.Below(kKeys)));
        table.Find(keys.data(), nullptr, 500, rows.data(), nullptr, executor);
      }
    });
  }
  note = "saver";
  const std::string path = "/tmp/recs_replay_" + std::to_string(getpid());
  std::set<int64_t> saved;
  int64_t files = 0;
  Cursor cursor;
  Table<K> follower(WithWaiting());
  ThreadExecutor executor(2);
  while (training) {
    WriteOptions options;
    options.kind = files == 0 ? SnapshotKind::kBase
                   : files % 2 == 0 ? SnapshotKind::kDelta : SnapshotKind::kState;
    options.since = cursor;
    FileSink sink(path);
    CHECK(sink.Open().ok());
    const bool follows = options.kind != SnapshotKind::kState;
    CHECK(Snapshot<K>::Write(table, sink, options, follows ? &cursor : nullptr).ok());
    CHECK(sink.Finish().ok());
    Table<K> fresh(WithWaiting());
    Table<K>& restored = follows ? follower : fresh;
    FileSource source(path);
    CHECK(source.Open().ok());
    const Status read = options.kind == SnapshotKind::kDelta
                            ? Snapshot<K>::Apply(source, &restored, executor)
                            : Snapshot<K>::Read(source, &restored, {}, executor);
    if (!read.ok()) Fail(__FILE__, __LINE__, read.message());
    const State state = StateOf(restored);
    note = "saver, step " + Show(state.header.step);
    CHECK_EQ(expected[state.header.step].count(Fingerprint<K>(state)), 1u);
    saved.insert(state.header.step);
    ++files;
  }
  for (std::thread& thread : threads) thread.join();
  std::remove(path.c_str());
  std::printf("%lld saves of %zu steps\n", static_cast<long long>(files), saved.size());
  CHECK(files > 2);
}

}  // namespace
}  // namespace recs::testing

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 200;
  recs::testing::SaveBesideTraining<int64_t>(steps);
  recs::testing::SaveBesideTraining<std::string_view>(steps);
  std::printf("passed\n");
}
