// A disk that cannot be read is not a file that is damaged. Linked with --wrap=read.
#include "table/file_source.h"

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "support.h"
#include "table/file_sink.h"

namespace {

// Reads until one fails with EIO; none fails below zero.
std::atomic<int64_t> reads_left{-1};

}  // namespace

extern "C" {
ssize_t __real_read(int file, void* data, size_t size);
ssize_t __wrap_read(int file, void* data, size_t size) {
  if (reads_left.load() >= 0 && reads_left.fetch_sub(1) == 0) {
    errno = EIO;
    return -1;
  }
  return __real_read(file, data, size);
}
}

namespace recs::testing {
namespace {

TEST(AFailingReadIsAnErrorOfTheDiskAndLeavesTheTable) {
  const std::string path = "/tmp/recs_file_source_" + std::to_string(getpid());
  const std::vector<int64_t> keys = {1, 2, 3};
  const std::vector<float> saved(6, 1.0f), own(6, 2.0f);
  InlineExecutor executor;
  Table<int64_t> table(Options(2));
  table.Upsert(keys.data(), saved.data(), 3, executor);
  FileSink sink(path);
  CHECK(sink.Open().ok());
  CHECK(Snapshot<int64_t>::Write(table, sink).ok());
  CHECK(sink.Finish().ok());
  table.Upsert(keys.data(), own.data(), 3, executor);
  const auto before = Contents(table);
  int64_t failing = 0;
  for (Status status = IoError(""); !status.ok(); ++failing) {
    FileSource source(path);
    CHECK(source.Open().ok());
    reads_left = failing;
    status = Snapshot<int64_t>::Read(source, &table);
    reads_left = -1;
    if (status.ok()) break;
    CHECK(status.code() == StatusCode::kIoError);
    CHECK(status.message().find("Received: Input/output error") != std::string::npos);
    CHECK(Contents(table) == before);
  }
  CHECK(failing > 3);
  CHECK(FindRow<int64_t>(table, 1) == std::vector<float>(2, 1.0f));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace recs::testing
