// A process is killed at random moments while it saves and trains; whoever comes after it finds the
// last complete state.
//
//   crash KILLS
#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "states.h"
#include "table/file_sink.h"
#include "table/file_source.h"

namespace recs::testing {
namespace {

constexpr int kDim = 16;
constexpr int64_t kRows = 4000;

// Every element of every row is the number of the save.
void SetAll(Table<int64_t>& table, int64_t number) {
  InlineExecutor executor;
  std::vector<int64_t> keys(kRows);
  for (int64_t i = 0; i < kRows; ++i) keys[i] = i;
  const std::vector<float> rows(kRows * kDim, static_cast<float>(number));
  table.Upsert(keys.data(), rows.data(), kRows, executor);
}

void SaveForEver(const std::string& path, std::atomic<int64_t>* saved) {
  Table<int64_t> table(Options(kDim));
  for (int64_t number = saved->load() + 1;; ++number) {
    SetAll(table, number);
    FileSink sink(path);
    if (!sink.Open().ok()) _exit(1);
    // Between its moment and its end, the table goes on.
    BusySink busy([&] { SetAll(table, number + 1); });
    if (!Snapshot<int64_t>::Write(table, busy).ok()) _exit(1);
    for (std::string& block : busy.blocks) {
      if (!sink.Append(std::move(block)).ok()) _exit(1);
    }
    if (!sink.Finish().ok()) _exit(1);
    *saved = number;
  }
}

// Removes what killed processes left; returns how many files.
int RemovePartial(const std::string& folder) {
  int removed = 0;
  DIR* entries = opendir(folder.c_str());
  CHECK(entries != nullptr);
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || name == "table") continue;
    CHECK_EQ(name.find("table.partial."), size_t{0});
    CHECK_EQ(std::remove((folder + "/" + name).c_str()), 0);
    ++removed;
  }
  closedir(entries);
  return removed;
}

int64_t NumberIn(const std::string& path) {
  Table<int64_t> table(Options(kDim));
  FileSource source(path);
  CHECK(source.Open().ok());
  const Status read = Snapshot<int64_t>::Read(source, &table);
  if (!read.ok()) Fail(__FILE__, __LINE__, read.message());
  CHECK_EQ(table.size(), kRows);
  const float first = FindRow<int64_t>(table, 0)[0];
  for (const auto& [key, row] : Contents(table)) {
    for (float value : row) CHECK_EQ(value, first);
  }
  return static_cast<int64_t>(first);
}

void KillAtRandomMoments(int kills) {
  std::string folder = "/tmp/recs_crash_XXXXXX";
  CHECK(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/table";
  void* shared = mmap(nullptr, sizeof(std::atomic<int64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  auto* saved = new (shared) std::atomic<int64_t>(0);
  Random random(9);
  int partial = 0;
  int64_t renamed = 0;
  for (int i = 0; i < kills; ++i) {
    note = "kill " + Show(i);
    const int64_t before = saved->load();
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) SaveForEver(path, saved);
    while (saved->load() == 0) usleep(1000);  // there is a state from here on
    if (i > 0) usleep(static_cast<useconds_t>(random.Below(100'000)));
    CHECK_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    partial += RemovePartial(folder);
    // The last one that was known to be complete, or the one whose renaming was the last thing.
    const int64_t found = NumberIn(path);
    CHECK(found == saved->load() || found == saved->load() + 1);
    renamed += found != saved->load();
    CHECK(found >= before);
    *saved = found;
  }
  std::printf("%lld saves, %d killed while writing, %lld between renaming and telling\n",
              static_cast<long long>(saved->load()), partial, static_cast<long long>(renamed));
  CHECK(partial > kills / 10);
  CHECK(saved->load() > kills / 10);
  CHECK_EQ(std::remove(path.c_str()), 0);
  CHECK_EQ(rmdir(folder.c_str()), 0);
}

}  // namespace
}  // namespace recs::testing

int main(int argc, char** argv) {
  recs::testing::KillAtRandomMoments(argc > 1 ? std::atoi(argv[1]) : 200);
  std::printf("passed\n");
}
