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

}  // namespace

FileSink::FileSink(std::string path) : path_(std::move(path)) {
  // Two savers of one path must not write into one file, whether threads or processes.
  static std::atomic<uint64_t> savers{0};
  temporary_ = path_ + ".partial." + std::to_string(getpid()) + "." + std::to_string(savers++);
}

FileSink::~FileSink() {
  StopThread();
  if (!file_.is_open()) return;
  std::remove(temporary_.c_str());
}

Status FileSink::Failed(const char* action, int error) const {
  return IoError("The path of a table's state must be writable. Received: '" + path_ + "', " +
                 action + ": " + std::strerror(error) + " (in a table's save). " +
                 "What was at the path before is unchanged.");
}

Status FileSink::Open() {
  const int error = file_.Open(temporary_);
  return error != 0 ? Failed("opening", error) : Status();
}

Status FileSink::WriteBlock(const std::string& block) {
  const uint64_t size = block.size();
  int error = file_.Write(reinterpret_cast<const char*>(&size), sizeof(size));
  if (error == 0) error = file_.Write(block.data(), block.size());
  return error != 0 ? Failed("writing", error) : Status();
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
  int error = file_.Write(reinterpret_cast<const char*>(&end), sizeof(end));
  if (error == 0) error = file_.Finish();
  const char* action = "writing";
  if (error == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    error = errno;
    action = "renaming";
  }
  if (error != 0) {
    std::remove(temporary_.c_str());
    return Failed(action, error);
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
