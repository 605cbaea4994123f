// Cycles of training, saving, evicting and restoring: memory that is in use does not grow.
//
//   soak CYCLES
#include <unistd.h>

#include <fstream>

#include "states.h"
#include "table/file_sink.h"
#include "table/file_source.h"

namespace recs::testing {
namespace {

int64_t ResidentBytes() {
  int64_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

template <class K>
void Cycle(Table<K>& table, int number, const std::string& path) {
  ThreadExecutor executor(2);
  Random random(static_cast<uint64_t>(number));
  for (int i = 0; i < 4; ++i) {
    std::vector<K> keys;
    for (int k = 0; k < 15000; ++k) keys.push_back(NthKey<K>(random.Below(20000)));
    const Step step = Forward(table, keys, executor);
    Backward(table, step, std::vector<float>(keys.size() * table.dim(), 0.5f), executor);
    Commit(table, AdagradOf(0.1f), executor);
  }
  Cursor cursor;
  for (SnapshotKind kind : {SnapshotKind::kState, SnapshotKind::kBase, SnapshotKind::kDelta}) {
    FileSink sink(path);
    CHECK(sink.Open().ok());
    WriteOptions options;
    options.kind = kind;
    options.since = cursor;
    CHECK(Snapshot<K>::Write(table, sink, options, &cursor).ok());
    CHECK(sink.Finish().ok());
    if (kind != SnapshotKind::kState) continue;
    EvictionOptions bound;
    bound.max_rows = 1000;
    table.Evict(bound);
    std::vector<typename Table<K>::KeyOut> evicted;
    table.TakeEvictedKeys(&evicted);
    CHECK(!evicted.empty());
    FileSource source(path);
    CHECK(source.Open().ok());
    CHECK(Snapshot<K>::Read(source, &table, {}, executor).ok());
    CHECK(table.size() > 10000);
  }
  CHECK_EQ(std::remove(path.c_str()), 0);
}

template <class K>
void Soak(int cycles) {
  const std::string path = "/tmp/recs_soak_" + std::to_string(getpid());
  Table<K> table(Options(64));
  int64_t after_some = 0, most = 0;
  for (int i = 0; i < cycles; ++i) {
    note = "cycle " + Show(i);
    Cycle(table, i, path);
    if (i == cycles / 5) after_some = ResidentBytes();
    if (i > cycles / 5) most = std::max(most, ResidentBytes());
  }
  std::printf("%.1f MB after a fifth of the cycles, %.1f MB at most later\n", 1e-6 * after_some,
              1e-6 * most);
  CHECK(most < after_some + after_some / 10);
}

}  // namespace
}  // namespace recs::testing

int main(int argc, char** argv) {
  const int cycles = argc > 1 ? std::atoi(argv[1]) : 50;
  recs::testing::Soak<int64_t>(cycles);
  recs::testing::Soak<std::string_view>(cycles);
  std::printf("passed\n");
}
