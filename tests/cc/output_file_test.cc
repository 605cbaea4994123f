// What is written is what is in the file, wherever writes begin and end, and whatever the file
// system makes of direct writes.
#include "table/output_file.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "support.h"

namespace recs::testing {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string PathIn(const char* folder) {
  return std::string(folder) + "/recs_output_file_" + std::to_string(getpid());
}

void CheckWrites(const std::string& path, size_t total, size_t most, uint64_t seed) {
  note = path + ", " + Show(total) + " bytes";
  Random random(seed);
  std::string all(total, '\0');
  for (char& byte : all) byte = static_cast<char>(random.Below(256));
  OutputFile file;
  CHECK_EQ(file.Open(path), 0);
  for (size_t done = 0; done < total;) {
    const size_t some = std::min<size_t>(1 + random.Below(most), total - done);
    CHECK_EQ(file.Write(all.data() + done, some), 0);
    done += some;
  }
  CHECK_EQ(file.Finish(), 0);
  CHECK(Read(path) == all);
}

TEST(FilesHoldWhatWasWritten) {
  constexpr size_t kGather = size_t{4} << 20;
  // The working folder's file system, and one in memory, which takes direct writes or does not.
  for (const char* folder : {".", "/dev/shm"}) {
    const std::string path = PathIn(folder);
    for (size_t total : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, kGather - 1,
                         kGather, kGather + 1, kGather + 4096, 2 * kGather + 12345}) {
      CheckWrites(path, total, 700'000, total);
    }
    CheckWrites(path, kGather + 99, 3 * kGather, 1);
    std::remove(path.c_str());
  }
}

TEST(AnotherFileIsReplaced) {
  const std::string path = PathIn("/tmp");
  CheckWrites(path, 100'000, 5000, 1);
  CheckWrites(path, 10, 5000, 2);
  std::remove(path.c_str());
}

TEST(WhatIsWrongWithAFileIsTold) {
  OutputFile nowhere;
  CHECK_EQ(nowhere.Open("/nowhere/at/all"), ENOENT);
  CHECK(!nowhere.is_open());
  // Beyond the limit in the midst of a write, with a part of it in the file.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{5'000'001, limit.rlim_max};
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string path = PathIn("/tmp");
  OutputFile file;
  CHECK_EQ(file.Open(path), 0);
  const std::string bytes(9'000'000, 'x');
  const int error = file.Write(bytes.data(), bytes.size());
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  CHECK_EQ(error, EFBIG);
  CHECK_EQ(Read(path).size(), 5'000'001u);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace recs::testing
