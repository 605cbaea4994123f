// A state that is written while the table changes is that of the moment when the writing began.
#include "table/scan.h"

#include "states.h"

namespace recs::testing {
namespace {

TableOptions WithFilter(AdmissionKind kind) {
  TableOptions options = Options(40);
  options.admission.kind = kind;
  options.admission.count = 3;
  options.admission.capacity = 200'000;
  options.admission.false_positive_rate = 0.01;
  options.admission.probability = 0.5;
  return options;
}

template <class K>
void CheckMoment(AdmissionKind kind, uint64_t seed) {
  note = "admission " + Show(static_cast<int>(kind));
  Table<K> table(WithFilter(kind));
  History<K> history(table, seed, 12000);
  for (int i = 0; i < 12; ++i) history.Train(6000);
  history.Remove(2000);  // free places, which new keys take
  const State expected = StateOf(table);
  CHECK(!expected.records.empty());
  BusySink busy([&] {
    history.Any(700);
    history.Remove(200);
    history.Train(300);
  });
  CHECK(Snapshot<K>::Write(table, busy).ok());
  CHECK(busy.blocks.size() > 4u);
  CheckSame(StateOf<K>(busy.blocks), expected);
  Table<K> restored(WithFilter(kind));
  MemorySource source(busy.blocks);
  CHECK(Snapshot<K>::Read(source, &restored).ok());
  CheckSame(StateOf(restored), expected);
  // And nobody waits or keeps copies any more.
  const State later = StateOf(table);
  CHECK(later.records != expected.records);
  CheckSame(StateOf(table), later);
}

TEST(AStateIsOfTheMomentWhenItsWritingBegan) {
  for (AdmissionKind kind : {AdmissionKind::kEverything, AdmissionKind::kMinimumCount,
                             AdmissionKind::kCountingBloom, AdmissionKind::kProbability}) {
    CheckMoment<int64_t>(kind, 1);
    CheckMoment<std::string_view>(kind, 2);
  }
}

TEST(AMomentMayLieWithinAStep) {
  Table<int64_t> table(Options(40));
  InlineExecutor executor;
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < 500; ++i) keys.push_back(i);
  const std::vector<float> gradient(keys.size() * 40, 0.5f);
  const auto finish = [&](const Step& step) {
    Backward(table, step, gradient, executor);
    Commit(table, AdagradOf(0.1f), executor);
  };
  finish(Forward(table, keys, executor));
  const Step step = Forward(table, keys, executor);
  const State expected = StateOf(table);
  WriteOptions base;
  base.kind = SnapshotKind::kBase;
  std::unique_ptr<Scan<int64_t>> scan;
  CHECK(Scan<int64_t>::Begin(table, base, &scan).ok());
  finish(step);  // nothing but the update comes after the moment
  MemorySink sink;
  CHECK(scan->Write(sink).ok());
  CheckSame(StateOf<int64_t>(sink.blocks), expected);
  WriteOptions delta;
  delta.kind = SnapshotKind::kDelta;
  delta.since = scan->header().cursor;
  CHECK(StateOf(table, delta).records == StateOf(table).records);
}

TEST(WritersGoOnBesideASlowSinkAndWaitForRoom) {
  // 80 MB of records, all of which the writer changes at once: far more than may be kept.
  Table<int64_t> table(Options(256));
  ThreadExecutor executor(1);
  std::vector<int64_t> keys(40000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<int64_t>(i);
  const auto train = [&] {
    const Step step = Forward(table, keys, executor);
    Backward(table, step, std::vector<float>(keys.size() * 256, 0.5f), executor);
    Commit(table, AdagradOf(0.1f), executor);
  };
  train();
  const State expected = StateOf(table);
  std::atomic<bool> written{false};
  std::thread trainer;
  int64_t appended = 0;
  BusySink slow([&] {
    if (appended++ == 0) {
      trainer = std::thread([&] {
        for (int i = 0; i < 3; ++i) train();
        written = true;
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  CHECK(Snapshot<int64_t>::Write(table, slow).ok());
  trainer.join();
  CHECK(written);
  CHECK_EQ(table.step(), 4);
  CheckSame(StateOf<int64_t>(slow.blocks), expected);
}

TEST(AFailedSinkLetsWritersGoOn) {
  Table<int64_t> table(Options(40));
  History<int64_t> history(table, 1, 1000);
  history.Train(500);
  class FullSink final : public BlockSink {
   public:
    Status Append(std::string) override {
      return --left_ < 0 ? IoError("full") : Status();
    }
    int left_ = 1;
  };
  FullSink full;
  CHECK(Snapshot<int64_t>::Write(table, full).code() == StatusCode::kIoError);
  history.Train(500);
  const State state = StateOf(table);
  table.Clear();  // the gate is free
  CHECK(StateOf(table).records.empty());
  CHECK_EQ(state.header.step, 2);
}

TEST(AnAbandonedScanLetsWritersGoOn) {
  Table<int64_t> table(Options(4));
  History<int64_t> history(table, 1, 1000);
  history.Train(500);
  std::unique_ptr<Scan<int64_t>> scan;
  CHECK(Scan<int64_t>::Begin(table, {}, &scan).ok());
  history.Train(500);
  CHECK_EQ(scan->header().step, 1);
  scan.reset();
  table.Clear();
  CHECK_EQ(table.size(), 0);
}

TEST(AGateHoldsWritersBackUntilThereIsRoom) {
  ScanGate gate;
  gate.lock();
  gate.SetBudget(100);
  gate.Keep(100);
  gate.WaitForRoom();  // just enough
  gate.Keep(50);
  CHECK(gate.crowded());
  std::atomic<int> passed{0};
  std::vector<std::thread> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([&] {
      gate.WaitForRoom();
      ++passed;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_EQ(passed.load(), 0);
  gate.Release(40);  // still too many
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_EQ(passed.load(), 0);
  gate.Release(40);
  for (std::thread& thread : waiting) thread.join();
  gate.Keep(1000);
  std::thread last([&] { gate.WaitForRoom(); });
  gate.unlock();  // the end of a scan, however it ended
  last.join();
  gate.lock();
  CHECK(!gate.crowded());
  gate.unlock();
}

TEST(EqualHistoriesGiveEqualBytesAndARestoreKeepsThem) {
  std::vector<std::vector<std::string>> blocks;
  for (int threads : {1, 3}) {
    Table<int64_t> table(WithFilter(AdmissionKind::kMinimumCount));
    ThreadExecutor executor(threads);
    Random random(5);
    for (int i = 0; i < 5; ++i) {
      std::vector<int64_t> keys(5000);
      for (int64_t& key : keys) key = static_cast<int64_t>(random.Below(3000));
      const Step step = Forward(table, keys, executor);
      Backward(table, step, std::vector<float>(keys.size() * 40, 0.5f), executor);
      Commit(table, AdagradOf(0.1f), executor);
    }
    MemorySink sink;
    CHECK(Snapshot<int64_t>::Write(table, sink).ok());
    blocks.push_back(sink.blocks);
    Table<int64_t> restored(WithFilter(AdmissionKind::kMinimumCount));
    MemorySource source(sink.blocks);
    CHECK(Snapshot<int64_t>::Read(source, &restored, {}, executor).ok());
    MemorySink again;
    CHECK(Snapshot<int64_t>::Write(restored, again).ok());
    blocks.push_back(again.blocks);
  }
  for (const auto& one : blocks) CHECK(one == blocks[0]);
}

}  // namespace
}  // namespace recs::testing
