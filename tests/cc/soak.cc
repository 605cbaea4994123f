// Cycles of training, saving, evicting and restoring: memory that is in use does not grow.
//
//   soak CYCLES
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "states.h"
#include "table/file_sink.h"
#include "table/file_source.h"

namespace recs::testing {
namespace {

// Without what the allocator keeps for later. Still uneven by some huge pages: the kernel gives them
// where it can.
int64_t ResidentBytes() {
  malloc_trim(0);
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
  std::vector<int64_t> resident;
  for (int i = 0; i < cycles; ++i) {
    note = "cycle " + Show(i);
    Cycle(table, i, path);
    resident.push_back(ResidentBytes());
  }
  // The least is what must be there; what comes on top is chance, and some huge pages always are.
  const auto some = resident.begin() + cycles / 5, many = some + cycles * 2 / 5;
  const int64_t before = *std::min_element(some, many);
  const int64_t later = *std::min_element(many, resident.end());
  std::printf("at least %.1f MB in the first cycles, %.1f MB later\n", 1e-6 * before, 1e-6 * later);
  CHECK(later < before + 4'000'000);
}

}  // namespace
}  // namespace recs::testing

int main(int argc, char** argv) {
  const int cycles = argc > 1 ? std::atoi(argv[1]) : 50;
  recs::testing::Soak<int64_t>(cycles);
  recs::testing::Soak<std::string_view>(cycles);
  std::printf("passed\n");
}
