#include "table/admission.h"

#include <set>

#include "support.h"
#include "table/counting_bloom.h"
#include "table/snapshot_format.h"
#include "table/waiting_room.h"

namespace recs::testing {
namespace {

AdmissionOptions Minimum(uint32_t count) {
  AdmissionOptions options;
  options.kind = AdmissionKind::kMinimumCount;
  options.count = count;
  return options;
}

AdmissionOptions Bloom(uint32_t count, int64_t capacity, double rate) {
  AdmissionOptions options;
  options.kind = AdmissionKind::kCountingBloom;
  options.count = count;
  options.capacity = capacity;
  options.false_positive_rate = rate;
  return options;
}

TableOptions WithAdmission(const AdmissionOptions& admission) {
  TableOptions options = Options(2);
  options.default_value = 0.25f;
  options.admission = admission;
  return options;
}

// Keys of the shard, among others' hashes.
std::vector<int64_t> KeysOfShard(int shard, int64_t n, int64_t from = 0) {
  std::vector<int64_t> keys;
  for (int64_t i = from; static_cast<int64_t>(keys.size()) < n; ++i) {
    if (ShardOf(HashKey(i)) == shard) keys.push_back(i);
  }
  return keys;
}

template <class K>
void CheckWaitingRoom(const std::vector<K>& keys) {
  WaitingRoom<K> room(5, 3, std::make_shared<SlabPool>());
  std::map<K, uint32_t> counts;
  std::set<K> left;
  Random random(9);
  uint32_t before;
  for (int i = 0; i < 20000; ++i) {
    const K key = keys[random.Below(keys.size())];
    const auto occurrences = static_cast<uint32_t>(1 + random.Below(3));
    if (random.Below(50) == 0) {
      room.Forget(key, HashKey(key));
      counts.erase(key);
      continue;
    }
    const bool admitted = room.Admit(key, HashKey(key), occurrences, 0, &before);
    CHECK_EQ(before, counts[key]);
    CHECK_EQ(admitted, counts[key] + occurrences >= 5);
    if (admitted) {
      CHECK(room.Admit(key, HashKey(key), occurrences, 0, &before));  // until it is forgotten
      room.Forget(key, HashKey(key));
      counts.erase(key);
    } else {
      counts[key] += occurrences;
    }
    CHECK_EQ(room.waiting(), static_cast<int64_t>(counts.size()));
  }
  std::map<K, uint32_t> kept;
  std::vector<std::string> blocks;  // what keys point to
  for (uint32_t item = 0; item < room.items(); ++item) {
    BlockWriter block(kFilterBlock);
    if (room.PutItem(item, 5, block)) blocks.push_back(block.Close());
  }
  for (const std::string& bytes : blocks) {
    BlockReader block(bytes);
    uint32_t kind, count;
    K key;
    CHECK(block.Open() && block.Get(&kind) && GetKey(block, &key) && block.Get(&count));
    CHECK(block.empty());
    CHECK(kept.emplace(key, count).second);
  }
  CHECK(kept == counts);
}

TEST(AWaitingRoomCountsExactly) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < 700; ++i) numbers.push_back(i * 0x123456789abcd);
  CheckWaitingRoom(numbers);
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) texts.emplace_back(i, static_cast<char>(i % 5));
  CheckWaitingRoom(std::vector<std::string_view>(texts.begin(), texts.end()));
}

TEST(CountsGoWithTheKeyIntoItsRow) {
  Table<int64_t> table(WithAdmission(Minimum(3)));
  InlineExecutor executor;
  const Step first = Forward(table, {7, 7, 8}, executor);
  for (int64_t handle : first.handles) CHECK(RowHandle::IsNone(handle));
  CHECK(first.rows == std::vector<float>(4, 0.25f));
  CHECK_EQ(table.counts().waiting, 2);
  CHECK_EQ(table.counts().not_admitted, 2);
  Forward(table, {7, 7, 7}, executor);
  CHECK_EQ(table.size(), 1);
  CHECK_EQ(table.counts().waiting, 1);
  MemorySink sink;
  CHECK(Snapshot<int64_t>::Write(table, sink).ok());
  uint32_t count;
  // Behind the block of the filter, the block's kind and the key.
  std::memcpy(&count, sink.blocks[2].data() + 12, 4);
  CHECK_EQ(count, 5u);
}

TEST(GradientsOfKeysWithoutARowAreDroppedAndNotStale) {
  Table<int64_t> table(WithAdmission(Minimum(2)));
  InlineExecutor executor;
  std::vector<int64_t> keys;  // of all shards, admitted and not in turn
  for (int64_t i = 0; i < 1000; ++i) keys.insert(keys.end(), 1 + i % 2, i);
  const Step one = Forward(table, keys, executor);
  const auto before = Contents(table);
  CHECK_EQ(before.size(), 500u);
  const std::vector<float> ones(keys.size() * 2, 1.0f);
  Backward(table, one, ones, executor);
  CommitOptions options = Sgd(1.0f);
  options.clipnorm = 1.0f;
  CHECK_EQ(Commit(table, options, executor).updated, 500);
  CHECK_EQ(table.counts().stale_updates, 0);
  // The norm is that of the 500 rows of 2 twos: keys without a row have no part in it.
  const float by = static_cast<float>(2.0 / std::sqrt(500 * 2 * 4.0));
  for (const auto& [key, row] : Contents(table)) CHECK_NEAR(row[0], before.at(key)[0] - by, 1e-6);
  // Two look-ups of a step are merged by shard.
  const Step two = Forward(table, {3000, 1, 3001}, executor);
  const Step three = Forward(table, {1, 3002, 5}, executor);
  Backward(table, two, std::vector<float>(6, 1.0f), executor);
  Backward(table, three, std::vector<float>(6, 1.0f), executor);
  CHECK_EQ(Commit(table, Sgd(1.0f), executor).updated, 2);
  CHECK_EQ(table.counts().stale_updates, 0);
}

TEST(AKeyWithoutARowGetsTheMeanWhereItIsAskedFor) {
  TableOptions options = WithAdmission(Minimum(2));
  options.mean_default = true;
  Table<int64_t> table(options);
  ThreadExecutor executor(3);
  CHECK(Forward(table, {1}, executor).rows == std::vector<float>({0.25f, 0.25f}));
  const int64_t keys[] = {2, 3};
  const float rows[] = {1.0f, 2.0f, 3.0f, 6.0f};
  table.Upsert(keys, rows, 2, executor);
  // Of the rows before the look-up, whatever it inserts itself.
  const Step step = Forward(table, {5, 5, 6}, executor);
  for (size_t u = 0; u < 2; ++u) {
    if (!RowHandle::IsNone(step.handles[u])) continue;
    CHECK_EQ(step.rows[2 * u], 2.0f);
    CHECK_EQ(step.rows[2 * u + 1], 4.0f);
  }
  CHECK_EQ(table.size(), 3);
}

TEST(UpsertGoesPastAdmissionAndEndsTheWait) {
  Table<int64_t> table(WithAdmission(Minimum(3)));
  InlineExecutor executor;
  Forward(table, {7, 7}, executor);
  const int64_t key = 7;
  const float row[] = {1.0f, 2.0f};
  table.Upsert(&key, row, 1, executor);
  CHECK_EQ(table.size(), 1);
  CHECK_EQ(table.counts().waiting, 0);
  table.Remove(&key, 1, executor);
  Forward(table, {7, 7}, executor);  // from zero
  CHECK_EQ(table.size(), 0);
  table.Remove(&key, 1, executor);
  CHECK_EQ(table.counts().waiting, 0);
  Forward(table, {7}, executor);
  table.Clear();
  CHECK_EQ(table.counts().waiting, 0);
}

// Of keys met once, as many as the filter is made for, how many of new ones would pass at once.
double FalsePositives(uint32_t count, double rate) {
  constexpr int64_t kPerShard = 2000;
  CountingBloom<int64_t> filter(count, kPerShard * kShards, rate);
  uint32_t before;
  for (int64_t key : KeysOfShard(5, kPerShard)) {
    filter.Admit(key, HashKey(key), count, 0, &before);
  }
  int64_t passed = 0;
  const auto others = KeysOfShard(5, 10000, int64_t{1} << 40);
  for (int64_t key : others) {
    // Asked with nothing: what is there without its own part.
    passed += filter.Admit(key, HashKey(key), 0, 0, &before) ? 1 : 0;
  }
  return static_cast<double>(passed) / static_cast<double>(others.size());
}

TEST(ABloomFilterKeepsItsRate) {
  // Ten thousand trials: five standard errors, on the side that matters; and no needless memory.
  for (uint32_t count : {1u, 300u}) {
    for (double rate : {0.1, 0.01, 0.001}) {
      const double got = FalsePositives(count, rate);
      note = "rate " + Show(rate) + ", got " + Show(got);
      CHECK(got < rate + 5 * std::sqrt(rate / 10000));
      CHECK(got > rate / 2 - 5 * std::sqrt(rate / 10000));
    }
  }
  // -ln(0.01) / ln(2)^2 = 9.585 counters a key.
  const CountingBloom<int64_t> filter(2, 64000, 0.01);
  CHECK_EQ(filter.shape().counters, 9586u);
  CHECK_EQ(filter.shape().hashes, 7u);
  CHECK_EQ(filter.bytes(), 9586u);
  CHECK_EQ(CountingBloom<int64_t>(256, 64000, 0.01).bytes(), 2 * 9586u);
  CHECK_EQ(CountingBloom<int64_t>(2, 1, 0.5).shape().counters, 64u);
}

TEST(ABloomFilterNeverCountsTooLow) {
  CountingBloom<int64_t> filter(200, 6400, 0.05);
  std::map<int64_t, uint32_t> counts;
  Random random(3);
  uint32_t before;
  const auto keys = KeysOfShard(0, 150);
  for (int i = 0; i < 30000; ++i) {
    const int64_t key = keys[random.Below(keys.size())];
    const bool admitted = filter.Admit(key, HashKey(key), 1, 0, &before);
    CHECK(admitted || counts[key] + 1 < 200);
    CHECK(before >= std::min(counts[key], 199u) || before == 0);
    ++counts[key];
  }
  // One byte holds at most 255, and stays there.
  CHECK(filter.Admit(keys[0], HashKey(keys[0]), 0xffffffffu, 0, &before));
  CHECK(filter.Admit(keys[0], HashKey(keys[0]), 1, 0, &before));
}

TEST(ChanceIsAFunctionOfSeedKeyAndStep) {
  int64_t once = 0, thrice = 0, again = 0, other_seed = 0;
  constexpr int64_t kKeys = 100000;
  for (int64_t key = 0; key < kKeys; ++key) {
    const uint64_t hash = HashKey(key);
    const bool passes = PassesByChance(hash, 1, 5, 1, 0.2);
    CHECK_EQ(passes, PassesByChance(hash, 1, 5, 1, 0.2));
    CHECK(!passes || PassesByChance(hash, 1, 5, 2, 0.2));  // more occurrences, never less
    once += passes;
    thrice += PassesByChance(hash, 1, 5, 3, 0.2);
    again += passes && PassesByChance(hash, 1, 6, 1, 0.2);
    other_seed += passes && PassesByChance(hash, 2, 5, 1, 0.2);
    CHECK(PassesByChance(hash, 1, 5, 1, 1.0));
  }
  const auto check = [](int64_t got, double p) {
    CHECK_NEAR(static_cast<double>(got) / kKeys, p, 5 * std::sqrt(p / kKeys));
  };
  check(once, 0.2);
  check(thrice, 1 - 0.8 * 0.8 * 0.8);
  check(again, 0.04);
  check(other_seed, 0.04);
}

TEST(BadAdmissionOptionsAreRefused) {
  CHECK(CheckAdmission({}).ok());
  CHECK(CheckAdmission(Minimum(1)).ok());
  CHECK(!CheckAdmission(Minimum(0)).ok());
  CHECK(CheckAdmission(Bloom(65535, 10, 0.5)).ok());
  CHECK(!CheckAdmission(Bloom(65536, 10, 0.5)).ok());
  CHECK(!CheckAdmission(Bloom(0, 10, 0.5)).ok());
  CHECK(!CheckAdmission(Bloom(2, 0, 0.5)).ok());
  CHECK(!CheckAdmission(Bloom(2, 10, 1.0)).ok());
  CHECK(!CheckAdmission(Bloom(2, 10, 0.0)).ok());
  CHECK(!CheckAdmission(Bloom(2, 10, NAN)).ok());
  AdmissionOptions chance;
  chance.kind = AdmissionKind::kProbability;
  CHECK(CheckAdmission(chance).ok());
  for (double p : {0.0, -1.0, 1.5, double{NAN}}) {
    chance.probability = p;
    CHECK(!CheckAdmission(chance).ok());
  }
}

template <class K>
std::vector<std::string> Blocks(const Table<K>& table) {
  MemorySink sink;
  CHECK(Snapshot<K>::Write(table, sink).ok());
  return sink.blocks;
}

TEST(AFilterOfTheSameShapeGoesOnAndAnotherBeginsAnew) {
  InlineExecutor executor;
  std::vector<int64_t> keys(500000);
  for (int64_t i = 0; i < 500000; ++i) keys[i] = i;
  for (const AdmissionOptions& kind : {Minimum(3), Bloom(3, 1000000, 0.01)}) {
    Table<int64_t> table(WithAdmission(kind));
    Forward(table, keys, executor);
    Forward(table, {1, 2, 3}, executor);
    const auto blocks = Blocks(table);
    CHECK(blocks.size() > 5u);  // several for either filter
    for (const AdmissionOptions& other :
         {kind, Minimum(4), Bloom(3, 900000, 0.01), AdmissionOptions{}}) {
      Table<int64_t> restored(WithAdmission(other));
      Forward(restored, {2}, executor);
      MemorySource source(blocks);
      CHECK(Snapshot<int64_t>::Read(source, &restored).ok());
      const bool same = other.kind == kind.kind && other.capacity == kind.capacity;
      if (same) CHECK_EQ(restored.counts().waiting, table.counts().waiting);
      Forward(restored, {1, 1, 5, 5}, executor);
      const auto rows = Contents(restored);
      if (other.kind == AdmissionKind::kEverything) continue;
      CHECK_EQ(rows.count(1), same ? 1u : 0u);
      CHECK_EQ(rows.count(5), same && other.count == 3 ? 1u : 0u);
    }
    // What is lost or altered is noticed.
    for (size_t i = 1; i < blocks.size(); ++i) {
      auto cut = blocks;
      cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(i));
      MemorySource source(cut);
      Table<int64_t> restored(WithAdmission(kind));
      CHECK(Snapshot<int64_t>::Read(source, &restored).code() == StatusCode::kDataLoss);
    }
  }
}

}  // namespace
}  // namespace recs::testing
