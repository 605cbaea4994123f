#include "table/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace recs {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kGather = size_t{4} << 20;

}  // namespace

OutputFile::~OutputFile() {
  if (file_ >= 0) close(file_);
}

int OutputFile::Open(const std::string& path) {
  // Between the making of the file and its lock, somebody may take it for a leftover.
  for (;;) {
    if (const int error = OpenOnce(path); error != 0) return error;
    int locked;
    do {
      locked = flock(file_, LOCK_EX);  // whoever removes leftovers holds it for a moment
    } while (locked != 0 && errno == EINTR);
    struct stat about;
    if (locked != 0 || fstat(file_, &about) != 0 || about.st_nlink > 0) break;
    close(std::exchange(file_, -1));
  }
  void* memory = nullptr;
  // Without the memory, every write goes out as it comes.
  if (posix_memalign(&memory, kPage, kGather) == 0) gathered_.reset(static_cast<char*>(memory));
  if (gathered_ == nullptr) StopDirect();
  return 0;
}

int OutputFile::OpenOnce(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
#ifdef O_DIRECT
  file_ = open(path.c_str(), kFlags | O_DIRECT, 0666);
  direct_ = file_ >= 0;
#endif
  // Some file systems refuse the flag here, others at the first write.
  if (file_ < 0) file_ = open(path.c_str(), kFlags, 0666);
  return file_ < 0 ? errno : 0;
}

bool OutputFile::StopDirect() {
  if (!direct_) return false;
#ifdef O_DIRECT
  const int flags = fcntl(file_, F_GETFL);
  if (flags >= 0 && fcntl(file_, F_SETFL, flags & ~O_DIRECT) == 0) direct_ = false;
#endif
  return !direct_;
}

int OutputFile::WriteAll(const char* data, size_t size) {
  while (size > 0) {
    const ssize_t some = write(file_, data, size);
    if (some < 0 && errno == EINTR) continue;
    if (some < 0 && errno == EINVAL && StopDirect()) continue;
    if (some <= 0) return some < 0 ? errno : ENOSPC;
    data += some;
    size -= static_cast<size_t>(some);
    // A write that was cut short leaves the file at no whole page.
    if (size > 0) StopDirect();
  }
  return 0;
}

int OutputFile::WriteGathered() {
  return WriteAll(gathered_.get(), std::exchange(size_, 0));
}

int OutputFile::Write(const char* data, size_t size) {
  if (gathered_ == nullptr) return WriteAll(data, size);
  while (size > 0) {
    const size_t some = std::min(size, kGather - size_);
    std::memcpy(gathered_.get() + size_, data, some);
    size_ += some;
    data += some;
    size -= some;
    if (size_ < kGather) continue;
    if (const int error = WriteGathered(); error != 0) return error;
  }
  return 0;
}

int OutputFile::Finish() {
  if (gathered_ != nullptr && size_ > 0) {
    const size_t pages = direct_ ? size_ / kPage * kPage : 0;
    if (const int error = WriteAll(gathered_.get(), pages); error != 0) return error;
    StopDirect();
    const size_t rest = std::exchange(size_, 0) - pages;
    if (const int error = WriteAll(gathered_.get() + pages, rest); error != 0) return error;
  }
  return fsync(file_) == 0 ? 0 : errno;
}

int OutputFile::Close() { return close(std::exchange(file_, -1)) == 0 ? 0 : errno; }

}  // namespace recs
