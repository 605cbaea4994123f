// A base and the deltas that follow it give the table, bit for bit.
#include "states.h"
#include "table/snapshot_changes.h"

namespace recs::testing {
namespace {

TableOptions WithPolicies(int variant) {
  TableOptions options = Options(3);
  if (variant == 1) {
    options.admission.kind = AdmissionKind::kMinimumCount;
    options.admission.count = 2;
    options.eviction.max_rows = 300;  // of the table as a whole
  }
  if (variant == 2) {
    options.admission.kind = AdmissionKind::kCountingBloom;
    options.admission.count = 2;
    options.admission.capacity = 100'000;
    options.admission.false_positive_rate = 0.01;
    options.eviction.steps_to_live = 5;
    options.storage = Storage::kBfloat16;
  }
  if (variant == 3) options.eviction.max_rows = 9000;  // of each shard
  return options;
}

WriteOptions Wanted(const Cursor& since, bool slots) {
  WriteOptions options;
  options.kind = since.none() ? SnapshotKind::kBase : SnapshotKind::kDelta;
  options.slots = slots;
  options.since = since;
  return options;
}

// Somebody who keeps a copy of a table by its deltas.
template <class K>
struct Replica {
  Replica(const TableOptions& options, bool with_slots)
      : copy(std::make_unique<Table<K>>(options)), slots(with_slots) {}

  // Beside the table's own business, if there is any.
  void Follow(Table<K>& table, const std::function<void()>& work) {
    BusySink sink(work);
    Status written = Snapshot<K>::Write(table, sink, Wanted(cursor, slots), &cursor);
    if (written.code() == StatusCode::kFailedPrecondition) {  // it began a new life
      cursor = {};
      written = Snapshot<K>::Write(table, sink, Wanted(cursor, slots), &cursor);
      ++bases;
    }
    CHECK(written.ok());
    MemorySource source(sink.blocks);
    ThreadExecutor executor(2);
    const bool whole = StateOf<K>(sink.blocks).header.kind == SnapshotKind::kBase;
    const Status read = whole ? Snapshot<K>::Read(source, copy.get(), {}, executor)
                              : Snapshot<K>::Apply(source, copy.get(), executor);
    if (!read.ok()) Fail(__FILE__, __LINE__, read.message());
  }
  void Check(const State& expected) const {
    const State got = StateOf(*copy);
    if (slots) return CheckSame(got, expected);
    CHECK(got.Rows() == expected.Rows());
    CHECK_EQ(got.header.step, expected.header.step);
    CHECK_EQ(got.header.newest_time, expected.header.newest_time);
  }

  std::unique_ptr<Table<K>> copy;
  bool slots;
  Cursor cursor;
  int bases = 0;
};

template <class K>
void CheckReplicas(int variant, uint64_t seed) {
  note = "policies " + Show(variant) + ", seed " + Show(seed);
  const TableOptions options = WithPolicies(variant);
  Table<K> table(options);
  History<K> history(table, seed, variant == 3 ? 15000 : 600);
  const int batch = variant == 3 ? 4000 : 200;
  Replica<K> whole(options, true), rows(options, false), late(options, true);
  if (seed % 2 == 0) whole.Follow(table, [] {});  // from before the first update
  history.Train(batch);
  for (int i = 0; i < 40; ++i) {
    history.Any(batch);
    if (i == 17) table.Clear();
    if (i == 22 || i == 23) history.Train(batch, true);  // another optimizer,
    if (i == 24 || i == 25) history.Train(batch);        // and back: not while a save runs
    if (i == 30) {
      MemorySink sink;
      CHECK(Snapshot<K>::Write(table, sink).ok());
      MemorySource source(sink.blocks);
      CHECK(Snapshot<K>::Read(source, &table).ok());
    }
    const State expected = StateOf(table);
    whole.Follow(table, [&] {
      if (i % 4 == 1) history.Any(batch / 4);
    });
    whole.Check(expected);
    if (i % 3 == 0) {
      const State now = StateOf(table);
      rows.Follow(table, [] {});
      rows.Check(now);
    }
    if (i > 10 && i % 5 == 0) {
      const State now = StateOf(table);
      late.Follow(table, [] {});
      late.Check(now);
    }
  }
  CHECK_EQ(whole.bases, 2);  // after the clear and the restore
}

TEST(ABaseAndItsDeltasGiveTheTableBitForBit) {
  for (int variant = 0; variant < 4; ++variant) {
    CheckReplicas<int64_t>(variant, 1);
    CheckReplicas<std::string_view>(variant, 2);
  }
}

// All changes of two tables in one.
struct Chain {
  explicit Chain(uint64_t seed) : table(Options(3)), history(table, seed, 500) {}
  std::vector<std::string> Next() {
    history.Any(100);
    MemorySink sink;
    CHECK(Snapshot<int64_t>::Write(table, sink, Wanted(cursor, true), &cursor).ok());
    return sink.blocks;
  }
  Table<int64_t> table;
  History<int64_t> history;
  Cursor cursor;
};

Status ApplyTo(Table<int64_t>& table, const std::vector<std::string>& blocks) {
  MemorySource source(blocks);
  InlineExecutor executor;
  return Snapshot<int64_t>::Apply(source, &table, executor);
}

TEST(DeltasAreRefusedOutOfOrderAndByOtherTables) {
  Chain chain(1), other(2);
  const auto base = chain.Next(), first = chain.Next(), second = chain.Next();
  const auto foreign_base = other.Next(), foreign = other.Next();
  Table<int64_t> table(Options(3));
  const auto refused = [&](const std::vector<std::string>& blocks) {
    const State before = StateOf(table);
    const Status status = ApplyTo(table, blocks);
    CHECK(status.code() == StatusCode::kFailedPrecondition);
    CHECK(status.message().find("must follow the state that the table has. Received: a table at") !=
          std::string::npos);
    CHECK(status.message().find("Restore the base of the chain") != std::string::npos);
    CheckSame(StateOf(table), before);
  };
  refused(first);
  MemorySource source(base);
  CHECK(Snapshot<int64_t>::Read(source, &table).ok());
  refused(second);
  refused(foreign);
  CHECK(ApplyTo(table, first).ok());
  refused(first);
  // A state of the follower says how far it is.
  MemorySink saved;
  CHECK(Snapshot<int64_t>::Write(table, saved).ok());
  Table<int64_t> again(Options(3));
  MemorySource of_follower(saved.blocks);
  CHECK(Snapshot<int64_t>::Read(of_follower, &again).ok());
  CHECK(ApplyTo(again, second).ok());
  CheckSame(StateOf(again), StateOf(chain.table));
  // Neither is the other.
  CHECK(ApplyTo(table, base).message().find("must be a delta") != std::string::npos);
  MemorySource no_state(second);
  CHECK(Snapshot<int64_t>::Read(no_state, &table).message().find("must be of a whole state") !=
        std::string::npos);
}

TEST(ADamagedDeltaChangesNothing) {
  Table<int64_t> table(Options(3));
  Random random(3);
  Chain chain(4);
  const auto base = chain.Next();
  MemorySource source(base);
  CHECK(Snapshot<int64_t>::Read(source, &table).ok());
  const auto delta = chain.Next();
  CHECK(delta.size() >= 3u);
  const State before = StateOf(table);
  for (int i = 0; i < 500; ++i) {
    auto altered = delta;
    std::string& block = altered[random.Below(altered.size())];
    const size_t at = random.Below(block.size());
    block[at] = static_cast<char>(block[at] ^ 1 << random.Below(8));
    CHECK(ApplyTo(table, altered).code() == StatusCode::kDataLoss);
  }
  for (size_t lost = 0; lost < delta.size(); ++lost) {
    auto altered = delta;
    altered.erase(altered.begin() + static_cast<std::ptrdiff_t>(lost));
    CHECK(ApplyTo(table, altered).code() == StatusCode::kDataLoss);
  }
  CheckSame(StateOf(table), before);
  CHECK(ApplyTo(table, delta).ok());
  CheckSame(StateOf(table), StateOf(chain.table));
}

TEST(ACursorIsRefusedWhenItsRemovalsAreForgotten) {
  Table<int64_t> table(Options(1));
  InlineExecutor executor;
  std::vector<int64_t> keys;  // of one shard
  for (int64_t i = 0; keys.size() < 5000; ++i) {
    if (ShardOf(HashKey(i)) == 7) keys.push_back(i);
  }
  MemorySink sink;
  Cursor old, newer;
  CHECK(Snapshot<int64_t>::Write(table, sink, Wanted({}, true), &old).ok());
  const std::vector<float> rows(keys.size());
  const auto n = static_cast<int64_t>(keys.size());
  for (int i = 0; i < 4; ++i) {
    table.Upsert(keys.data(), rows.data(), n, executor);
    table.Remove(keys.data(), n, executor);
    if (i == 0) CHECK(Snapshot<int64_t>::Write(table, sink, Wanted(old, true), &newer).ok());
  }
  const Status refused = Snapshot<int64_t>::Write(table, sink, Wanted(old, true));
  CHECK(refused.code() == StatusCode::kFailedPrecondition);
  CHECK(refused.message().find("Take a new base") != std::string::npos);
  CHECK(Snapshot<int64_t>::Write(table, sink, Wanted(newer, true)).ok());
  Cursor of_nobody = newer;
  of_nobody.life[3] ^= 1;
  CHECK(Snapshot<int64_t>::Write(table, sink, Wanted(of_nobody, true)).code() ==
        StatusCode::kFailedPrecondition);
  of_nobody = newer;
  of_nobody.epoch += 1000;
  CHECK(Snapshot<int64_t>::Write(table, sink, Wanted(of_nobody, true)).code() ==
        StatusCode::kFailedPrecondition);
}

TEST(ALogOfRemovalsKeepsTheNewest) {
  RemovalLog<int64_t> log;
  for (uint32_t epoch = 1; epoch <= 10; ++epoch) log.Add(epoch, int64_t{epoch}, 4);
  CHECK_EQ(log.size(), 4u);
  CHECK_EQ(log.known_since(), 6u);
  CHECK_EQ(log.FirstAfter(8), 2u);
  CHECK_EQ(log.at(2).key, 9);
  log.Pin(true);
  log.Add(11, int64_t{11}, 4);
  CHECK_EQ(log.at(0).key, 7);
  log.Pin(false);
  log.Add(12, int64_t{12}, 4);
  CHECK_EQ(log.known_since(), 8u);
  log.Forget(12);
  CHECK_EQ(log.size(), 0u);
}

TEST(CursorsAreText) {
  Cursor cursor = Cursor::NewLife(), back;
  cursor.epoch = 1234567890123ULL;
  CHECK(!(cursor == Cursor::NewLife()));
  CHECK(Cursor::FromText(cursor.ToText(), &back));
  CHECK(back == cursor);
  CHECK(Cursor::FromText("", &back));
  CHECK(back.none());
  const std::string text = cursor.ToText();
  const std::string zeros(32, '0');
  for (const std::string& wrong :
       {text.substr(0, 33), text + "x", "x" + text, text.substr(1), zeros + "-1", zeros,
        std::string("-1"), text + std::string(20, '1'), text.substr(0, 32) + "+1"}) {
    note = wrong;
    CHECK(!Cursor::FromText(wrong, &back));
  }
}

TEST(ChangesComeAsArrays) {
  Table<std::string_view> table(Options(2));
  InlineExecutor executor;
  const std::vector<std::string_view> keys = {"a", "b", "c", "d"};
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6, 7, 8};
  table.Upsert(keys.data(), rows.data(), 4, executor);
  Changes<std::string_view> all, some;
  CHECK(ChangesSince(table, Cursor(), &all).ok());
  CHECK_EQ(all.keys.size(), 4u);
  CHECK(all.removed.empty());
  table.Remove(keys.data(), 3, executor);
  table.Remove(keys.data(), 3, executor);
  table.Upsert(keys.data() + 1, rows.data(), 1, executor);  // it is back
  CHECK(ChangesSince(table, all.cursor, &some).ok());
  CHECK(some.keys == std::vector<std::string>{"b"});
  CHECK(some.rows == (std::vector<float>{1, 2}));
  std::set<std::string> removed(some.removed.begin(), some.removed.end());
  CHECK(removed == (std::set<std::string>{"a", "c"}));
  CHECK_EQ(some.removed.size(), 2u);
  Changes<std::string_view> none;
  CHECK(ChangesSince(table, some.cursor, &none).ok());
  CHECK(none.keys.empty() && none.removed.empty());
}

}  // namespace
}  // namespace recs::testing
