#include "table/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace recs {

FileSink::FileSink(std::string path) : path_(std::move(path)) {
  // Two savers of one path must not write into one file, whether threads or processes.
  static std::atomic<uint64_t> savers{0};
  temporary_ = path_ + ".partial." + std::to_string(getpid()) + "." + std::to_string(savers++);
}

FileSink::~FileSink() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

Status FileSink::Failed(const char* action) const {
  return IoError("The path of a table's state must be writable. Received: '" + path_ + "', " +
                 action + ": " + std::strerror(errno) + " (in a table's save). " +
                 "What was at the path before is unchanged.");
}

Status FileSink::Open() {
  file_ = std::fopen(temporary_.c_str(), "wb");
  return file_ == nullptr ? Failed("opening") : Status();
}

Status FileSink::Append(std::string_view block) {
  const uint64_t size = block.size();
  const bool written = std::fwrite(&size, sizeof(size), 1, file_) == 1 &&
                       std::fwrite(block.data(), 1, block.size(), file_) == block.size();
  return written ? Status() : Failed("writing");
}

Status FileSink::Finish() {
  const uint64_t end = 0;
  if (std::fwrite(&end, sizeof(end), 1, file_) != 1 || std::fflush(file_) != 0 ||
      fsync(fileno(file_)) != 0) {
    return Failed("writing");
  }
  std::FILE* file = std::exchange(file_, nullptr);
  if (std::fclose(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Status failed = Failed("renaming");
    std::remove(temporary_.c_str());
    return failed;
  }
  // The new name is on the disk only once the folder is.
  const size_t slash = path_.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  return {};
}

FileSource::~FileSource() {
  if (file_ != nullptr) std::fclose(file_);
}

Status FileSource::Open() {
  file_ = std::fopen(path_.c_str(), "rb");
  if (file_ == nullptr) {
    return IoError("The path of a table's state must be readable. Received: '" + path_ + "': " +
                   std::strerror(errno) + " (in a table's restore).");
  }
  return Rewind();
}

Status FileSource::Rewind() {
  struct stat about;
  if (fstat(fileno(file_), &about) != 0 || std::fseek(file_, 0, SEEK_SET) != 0) return Cut();
  left_ = static_cast<uint64_t>(about.st_size);
  return {};
}

Status FileSource::Cut() const {
  return DataLoss("The table's saved state must be complete and unaltered. Received: a file that " +
                  std::string("ends too early (in ") + path_ +
                  "). Restore from an earlier copy; the table was left as it was.");
}

Status FileSource::Next(std::string_view* block, bool* end) {
  uint64_t size;
  if (left_ < sizeof(size) || std::fread(&size, sizeof(size), 1, file_) != 1) return Cut();
  left_ -= sizeof(size);
  *end = size == 0;
  if (*end) {
    *block = {};
    return left_ == 0 ? Status() : Cut();
  }
  if (size > left_) return Cut();
  block_.resize(size);
  if (std::fread(block_.data(), 1, size, file_) != size) return Cut();
  left_ -= size;
  *block = block_;
  return {};
}

}  // namespace recs
