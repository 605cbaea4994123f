#include "table/snapshot.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "support.h"
#include "table/file_sink.h"
#include "table/file_source.h"

namespace recs::testing {
namespace {

using Numbers = Table<int64_t>;
using Texts = Table<std::string_view>;

// Of this process, gone when it ends.
struct TemporaryFolder {
  TemporaryFolder() { CHECK(mkdtemp(name.data()) != nullptr); }
  ~TemporaryFolder() { rmdir(name.c_str()); }
  std::string name = "/tmp/recs_snapshot_test_XXXXXX";
};

const std::string& Folder() {
  static const TemporaryFolder folder;
  return folder.name;
}

template <class K>
std::vector<K> SomeKeys();
template <>
std::vector<int64_t> SomeKeys() {
  std::vector<int64_t> keys;
  for (int64_t i = -300; i < 300; ++i) keys.push_back(i * 0x123456789abcd);
  return keys;
}
template <>
std::vector<std::string_view> SomeKeys() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> made;
    for (int i = 0; i < 600; ++i) made.emplace_back(i, static_cast<char>(i % 5));
    return made;
  }();
  return {texts.begin(), texts.end()};
}

template <class K>
void Train(Table<K>& table, int steps) {
  InlineExecutor executor;
  for (int i = 0; i < steps; ++i) {
    const std::vector<K> keys = SomeKeys<K>();
    const Step step = Forward(table, keys, executor);
    std::vector<float> gradient(keys.size() * table.dim());
    for (size_t j = 0; j < gradient.size(); ++j) gradient[j] = float(j % 17) - 8.0f;
    Backward(table, step, gradient, executor);
    Commit(table, AdagradOf(0.1f), executor);
  }
}

template <class K>
std::vector<std::string> Blocks(const Table<K>& table) {
  MemorySink sink;
  CHECK(Snapshot<K>::Write(table, sink).ok());
  return sink.blocks;
}

template <class K>
void CheckTrainingGoesOnEqually() {
  Table<K> table(Options(3));
  Train(table, 2);
  const auto blocks = Blocks(table);
  TableOptions options = Options(3);
  options.initializer.seed = 999;  // the snapshot's counts
  Table<K> other(options);
  InlineExecutor executor;
  Forward(other, SomeKeys<K>(), executor);
  MemorySource source(blocks);
  CHECK(Snapshot<K>::Read(source, &other).ok());
  CHECK(Contents(other) == Contents(table));
  CHECK_EQ(other.step(), 2);
  CHECK_EQ(other.optimizer(), "adagrad");
  CHECK_EQ(other.slots().vectors, 1);
  CHECK(Blocks(other)[0] == blocks[0]);
  Train(table, 1);
  Train(other, 1);
  CHECK(Contents(other) == Contents(table));
}

TEST(TrainingGoesOnEquallyAfterARestore) {
  CheckTrainingGoesOnEqually<int64_t>();
  CheckTrainingGoesOnEqually<std::string_view>();
}

TEST(ARestoreMakesNewRowsAsTheSavedTableWould) {
  Numbers table(Options(3));
  const auto blocks = Blocks(table);
  TableOptions options = Options(3);
  options.initializer.seed = 999;
  Numbers other(options);
  MemorySource source(blocks);
  CHECK(Snapshot<int64_t>::Read(source, &other).ok());
  InlineExecutor executor;
  Forward(table, {77}, executor);
  Forward(other, {77}, executor);
  CHECK(FindRow<int64_t>(other, 77) == FindRow<int64_t>(table, 77));
}

// Reading `blocks` must fail with these words and change nothing.
template <class K>
void CheckRefused(const std::vector<std::string>& blocks, Table<K>& table, StatusCode code,
                  const std::string& words) {
  const auto before = Blocks(table);
  MemorySource source(blocks);
  const Status status = Snapshot<K>::Read(source, &table);
  CHECK(status.code() == code);
  if (status.message().find(words) == std::string::npos) Fail(__FILE__, __LINE__, status.message());
  CHECK(Blocks(table) == before);
}

TEST(ASnapshotOfAnotherTableIsRefused) {
  Numbers table(Options(3));
  Train(table, 1);
  const auto blocks = Blocks(table);
  Numbers wider(Options(4));
  Train(wider, 1);
  CheckRefused(blocks, wider, StatusCode::kInvalidArgument,
               "`output_dim` must be that of the saved table. Received: output_dim=4, saved: 3 (in "
               "table 'tested', memory)");
  Texts texts(Options(3));
  Train(texts, 1);
  CheckRefused(blocks, texts, StatusCode::kInvalidArgument,
               "`key_dtype` must be that of the saved table. Received: string, saved: int64");
}

TEST(DamagedBlocksAreRefused) {
  Texts table(Options(3));
  Train(table, 1);
  const auto damaged = StatusCode::kDataLoss;
  const std::string words = "must be complete and unaltered. Received: ";
  const auto blocks = Blocks(table);
  CHECK(blocks.size() >= 2);
  CheckRefused({}, table, damaged, words);
  CheckRefused({blocks[0]}, table, damaged, "blocks without a manifest at their end");
  CheckRefused({blocks[1], blocks[0]}, table, damaged, "a header that is not of a table");
  CheckRefused({blocks[0], blocks[1], blocks[1]}, table, damaged, "a key that is there twice");
  CheckRefused({blocks[0], blocks[2]}, table, damaged, "other blocks than the manifest tells of");
  CheckRefused({blocks[0], blocks[1], blocks[2], blocks[1]}, table, damaged,
               "blocks behind the manifest");
  CheckRefused({blocks[0], blocks[0]}, table, damaged, "block 1 of an unknown kind");
  CheckRefused({blocks[0], ""}, table, damaged, "block 1, whose checksum is wrong");
  Random random(3);
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (int i = 0; i < 600; ++i) {
      auto altered = blocks;
      const size_t at = i < 300 ? i % blocks[b].size() : random.Below(blocks[b].size());
      const auto bit = static_cast<char>(1 << random.Below(8));
      altered[b][at] = static_cast<char>(altered[b][at] ^ bit);
      note = "block " + Show(b) + ", byte " + Show(at) + ", bit " + Show(int{bit});
      MemorySource source(altered);
      CHECK(Snapshot<std::string_view>::Read(source, &table).code() == damaged);
    }
  }
  CHECK(Blocks(table) == blocks);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Status Save(const Numbers& table, const std::string& path) {
  FileSink sink(path);
  if (Status opened = sink.Open(); !opened.ok()) return opened;
  if (Status written = Snapshot<int64_t>::Write(table, sink); !written.ok()) return written;
  return sink.Finish();
}

Status Restore(const std::string& path, Numbers* table) {
  FileSource source(path);
  if (Status opened = source.Open(); !opened.ok()) return opened;
  return Snapshot<int64_t>::Read(source, table);
}

TEST(AFileCutAnywhereIsRefused) {
  const std::string path = Folder() + "/cut";
  Numbers table(Options(3));
  Train(table, 1);
  CHECK(Save(table, path).ok());
  const std::string bytes = ReadAll(path);
  const auto before = Blocks(table);
  for (size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 97) {
    note = "cut at " + Show(size);
    CHECK_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
    const Status status = Restore(path, &table);
    CHECK(status.code() == StatusCode::kDataLoss);
    CHECK(status.message().find(path) != std::string::npos);
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::ofstream(path, std::ios::binary | std::ios::app) << 'x';
  CHECK(Restore(path, &table).code() == StatusCode::kDataLoss);
  CHECK(Blocks(table) == before);
  std::remove(path.c_str());
  const Status missing = Restore(path, &table);
  CHECK(missing.code() == StatusCode::kIoError);
  CHECK(missing.message().find("must be readable. Received: '" + path) != std::string::npos);
}

TEST(AFailedSaveLeavesTheOldFileAndNothingElse) {
  const std::string path = Folder() + "/old";
  Numbers table(Options(3));
  CHECK(Save(table, path).ok());
  const std::string old = ReadAll(path);
  Train(table, 1);
  // A full disk, as far as the process can tell.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small = {2000, limit.rlim_max};
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status failed = Save(table, path);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  CHECK(failed.code() == StatusCode::kIoError);
  CHECK(failed.message().find("must be writable. Received: '" + path) != std::string::npos);
  CHECK(ReadAll(path) == old);
  CHECK(Save(table, path + "/below a file").code() == StatusCode::kIoError);
  CHECK_EQ(std::remove(path.c_str()), 0);
  CHECK_EQ(rmdir(Folder().c_str()), 0);  // it is empty
  CHECK_EQ(mkdir(Folder().c_str(), 0700), 0);
}

TEST(AReadOnlyFolderIsRefused) {
  const std::string path = Folder() + "/old";
  Numbers table(Options(3));
  CHECK(Save(table, path).ok());
  const std::string old = ReadAll(path);
  Train(table, 1);
  CHECK_EQ(chmod(Folder().c_str(), 0555), 0);
  const bool is_root = geteuid() == 0;  // who may write everywhere
  if (is_root) CHECK_EQ(seteuid(65534), 0);
  const Status failed = Save(table, path);
  if (is_root) CHECK_EQ(seteuid(0), 0);
  CHECK_EQ(chmod(Folder().c_str(), 0700), 0);
  CHECK(failed.code() == StatusCode::kIoError);
  CHECK(failed.message().find("opening: Permission denied") != std::string::npos);
  CHECK(ReadAll(path) == old);
  Train(table, 1);
  CHECK(Save(table, path).ok());
  std::remove(path.c_str());
}

TEST(TwoSaversOfOnePathDoNotMeet) {
  const std::string path = Folder() + "/shared";
  Numbers one(Options(3)), other(Options(3));
  Train(one, 1);
  Train(other, 3);
  const auto save = [&](const Numbers& table) {
    for (int i = 0; i < 30; ++i) CHECK(Save(table, path).ok());
  };
  std::thread beside(save, std::cref(other));
  save(one);
  beside.join();
  Numbers restored(Options(3));
  CHECK(Restore(path, &restored).ok());
  CHECK(Contents(restored) == Contents(one) || Contents(restored) == Contents(other));
  std::remove(path.c_str());
}

TEST(LargeTablesTakeSeveralBlocks) {
  Numbers table(Options(64));
  InlineExecutor executor;
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < 10000; ++i) keys.push_back(i);
  Forward(table, keys, executor);
  const auto blocks = Blocks(table);
  CHECK_EQ(blocks.size(), 5u);  // 2.6 MB of records
  Numbers other(Options(64));
  MemorySource source(blocks);
  CHECK(Snapshot<int64_t>::Read(source, &other).ok());
  CHECK(Contents(other) == Contents(table));
}

}  // namespace
}  // namespace recs::testing
