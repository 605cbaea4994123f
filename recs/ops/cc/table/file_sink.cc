#include "table/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace recs {
namespace {

constexpr size_t kQueued = 8;  // blocks that wait to be written
// The disk begins with what was written when there is so much of it, not only at the end.
constexpr uint64_t kFlushBytes = uint64_t{8} << 20;

}  // namespace

FileSink::FileSink(std::string path) : path_(std::move(path)) {
  // Two savers of one path must not write into one file, whether threads or processes.
  static std::atomic<uint64_t> savers{0};
  temporary_ = path_ + ".partial." + std::to_string(getpid()) + "." + std::to_string(savers++);
}

FileSink::~FileSink() {
  StopThread();
  if (file_ < 0) return;
  close(file_);
  std::remove(temporary_.c_str());
}

Status FileSink::Failed(const char* action, int error) const {
  return IoError("The path of a table's state must be writable. Received: '" + path_ + "', " +
                 action + ": " + std::strerror(error) + " (in a table's save). " +
                 "What was at the path before is unchanged.");
}

Status FileSink::Open() {
  file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return file_ < 0 ? Failed("opening", errno) : Status();
}

Status FileSink::WriteAll(const char* data, size_t size) {
  while (size > 0) {
    const ssize_t some = write(file_, data, size);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return Failed("writing", some < 0 ? errno : ENOSPC);
    data += some;
    size -= static_cast<size_t>(some);
    written_ += static_cast<uint64_t>(some);
  }
#ifdef __linux__
  if (written_ - flushed_ >= kFlushBytes) {
    sync_file_range(file_, static_cast<off64_t>(flushed_),
                    static_cast<off64_t>(written_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = written_;
  }
#endif
  return {};
}

Status FileSink::WriteBlock(const std::string& block) {
  const uint64_t size = block.size();
  Status written = WriteAll(reinterpret_cast<const char*>(&size), sizeof(size));
  return written.ok() ? WriteAll(block.data(), block.size()) : written;
}

void FileSink::WriteQueued() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::string block = std::move(queue_.front());
    queue_.pop_front();
    changed_.notify_all();
    if (!status_.ok()) continue;
    lock.unlock();
    Status written = WriteBlock(block);
    lock.lock();
    if (!written.ok()) status_ = std::move(written);
    if (block.capacity() > spare_.capacity()) spare_.swap(block);
  }
}

Status FileSink::Append(std::string block) {
  if (!thread_.joinable() && status_.ok()) {
    try {
      thread_ = std::thread(&FileSink::WriteQueued, this);
    } catch (const std::system_error&) {
      status_ = WriteBlock(block);  // no thread to be had
    }
  }
  if (!thread_.joinable()) return status_;
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < kQueued; });
  queue_.push_back(std::move(block));
  changed_.notify_all();
  return status_;
}

std::string FileSink::Spare() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(spare_, {});
}

void FileSink::StopThread() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Status FileSink::Finish() {
  StopThread();
  if (!status_.ok()) return status_;
  const uint64_t end = 0;
  if (Status written = WriteAll(reinterpret_cast<const char*>(&end), sizeof(end)); !written.ok()) {
    return written;
  }
  if (fsync(file_) != 0) return Failed("writing", errno);
  const int file = std::exchange(file_, -1);
  if (close(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    std::remove(temporary_.c_str());
    return Failed("renaming", error);
  }
  // The new name is on the disk only once the folder is.
  const size_t slash = path_.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  return {};
}

}  // namespace recs
