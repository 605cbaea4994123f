#include "table/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "table/snapshot_format.h"

namespace recs {
namespace {

constexpr size_t kBlocksAhead = 32;  // blocks
constexpr size_t kMostAhead = kBlocksAhead * 2 * kBlockBytes;  // bytes of them, but for the last
constexpr uint64_t kBelievedBytes = uint64_t{16} << 20;  // bytes that a length is believed for at a time

}  // namespace

FileSource::~FileSource() {
  if (thread_.joinable()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  if (file_ >= 0) close(file_);
}

Status FileSource::Open() {
  // Nobody may write to a pipe: without O_NONBLOCK, opening it would wait for ever.
  file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about;
  if (file_ < 0 || fstat(file_, &about) != 0) {
    return IoError("The path of a table's state must be readable. Received: '" + path_ + "': " +
                   std::strerror(errno) + " (in a table's restore).");
  }
  if (!S_ISREG(about.st_mode)) {
    return IoError("The path of a table's state must be that of a file. Received: '" + path_ +
                   "', a folder, a pipe or a device (in a table's restore).");
  }
  posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
  left_ = static_cast<uint64_t>(about.st_size);
  return {};
}

Status FileSource::Cut() const {
  return DataLoss("The table's saved state must be complete and unaltered. Received: a file that " +
                  std::string("ends too early (in ") + path_ +
                  "). Restore from an earlier copy; the table was left as it was.");
}

Status FileSource::Foreign(uint64_t size) const {
  return DataLoss("The table's saved state must be complete and unaltered. Received: a block of " +
                  std::to_string(size) + " bytes that no table writes (in " + path_ +
                  "). Restore from an earlier copy; the table was left as it was.");
}

Status FileSource::ReadAll(char* data, size_t size) {
  if (size > left_) return Cut();
  left_ -= size;
  while (size > 0) {
    const ssize_t some = read(file_, data, size);
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) {
      return IoError("A table's saved state must be readable. Received: " +
                     std::string(std::strerror(errno)) + " (in " + path_ +
                     "). The table was left as it was; restore again once the disk can be read.");
    }
    if (some == 0) return Cut();
    data += some;
    size -= static_cast<size_t>(some);
  }
  return {};
}

Status FileSource::ReadBlock(std::string* block, bool* end) {
  uint64_t size;
  Status status = ReadAll(reinterpret_cast<char*>(&size), sizeof(size));
  if (!status.ok()) return status;
  *end = size == 0;
  if (*end) return left_ == 0 ? Status() : Cut();
  if (size > left_) return Cut();
  // A file with holes is as long as it likes. What a block is says its first bytes.
  if (size > kMostBlockBytes) return Foreign(size);
  block->resize(std::min(size, kBelievedBytes));
  status = ReadAll(block->data(), block->size());
  if (!status.ok()) return status;
  if (size > kBlockBytes) {
    uint32_t kind = 0;
    std::memcpy(&kind, block->data(), sizeof(kind));
    if (kind <= kHeaderBlock || kind >= kManifestBlock) return Foreign(size);
  }
  for (size_t at = block->size(); at < size; at = block->size()) {
    block->resize(std::min<uint64_t>(size, at + kBelievedBytes));
    status = ReadAll(block->data() + at, block->size() - at);
    if (!status.ok()) return status;
  }
  return {};
}

void FileSource::ReadAhead() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ended_) {
    changed_.wait(lock, [this] {
      return stopped_ || (queue_.size() < kBlocksAhead && queued_bytes_ < kMostAhead);
    });
    if (stopped_) return;
    std::string block;
    if (!spare_.empty()) {
      block = std::move(spare_.back());
      spare_.pop_back();
    }
    lock.unlock();
    bool end = false, full = false;
    Status status;
    try {
      status = ReadBlock(&block, &end);
    } catch (const std::bad_alloc&) {
      full = true;
    }
    lock.lock();
    ended_ = end || full || !status.ok();
    out_of_memory_ = full;
    if (ended_) {
      status_ = std::move(status);
    } else {
      try {
        const size_t bytes = block.size();
        queue_.push_back(std::move(block));
        queued_bytes_ += bytes;
      } catch (const std::bad_alloc&) {
        ended_ = out_of_memory_ = true;
      }
    }
    changed_.notify_all();
  }
}

Status FileSource::Next(std::string* storage, std::string_view* block, bool* end) {
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread(&FileSource::ReadAhead, this);
    } catch (const std::system_error&) {
      const Status read = ReadBlock(storage, end);  // no thread to be had
      *block = *storage;
      return read;
    }
  }
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !queue_.empty(); });
  *end = queue_.empty();
  if (*end) {
    if (out_of_memory_) throw std::bad_alloc();
    return status_;
  }
  if (spare_.size() < kBlocksAhead && storage->capacity() >= kBlockBytes) {
    spare_.push_back(std::move(*storage));
  }
  *storage = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= storage->size();
  *block = *storage;
  changed_.notify_all();
  return {};
}

}  // namespace recs
