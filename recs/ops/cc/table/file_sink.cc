#include "table/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "table/leftovers.h"

namespace recs {
namespace {

constexpr size_t kQueued = 8;  // blocks that wait to be written

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

FileSink::FileSink(std::string path) : path_(std::move(path)), temporary_(PartialPath(path_)) {}

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
  RemoveLeftovers(FolderOf(path_));
  const int error = file_.Open(temporary_);
  return error != 0 ? Failed("opening", error) : Status();
}

Status FileSink::WriteBlock(const std::string& block) {
  if (block.size() > kMostBlockBytes) {
    return InvalidArgument("An id, a record or a table's initial rows must have at most 2^30 bytes "
                           "to be saved. Received: " + std::to_string(block.size()) +
                           " (in a table's save). What was at the path before is unchanged.");
  }
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
  if (error != 0) return Failed(action, error);  // and the destructor removes the file
  file_.Close();
  // The new name is on the disk only once the folder is.
  const std::string folder = FolderOf(path_);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  return {};
}

}  // namespace recs
