// Snapshots from a file that FileSink wrote.
#ifndef RECS_TABLE_FILE_SOURCE_H_
#define RECS_TABLE_FILE_SOURCE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "table/block.h"
#include "table/snapshot.h"

namespace recs {

// A thread of its own reads ahead, some blocks of it.
class FileSource final : public BlockSource {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}
  ~FileSource() override;

  Status Open();
  Status Next(std::string* storage, std::string_view* block, bool* end) override;
  std::string name() const override { return path_; }

 private:
  Status Cut() const;
  Status Foreign(uint64_t size) const;
  void ReadAhead();
  // The next block of the file, or `*end = true`.
  Status ReadBlock(std::string* block, bool* end);
  Status ReadAll(char* data, size_t size);

  std::string path_;
  int file_ = -1;
  uint64_t left_ = 0;  // bytes of the file after what was read
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  std::vector<std::string> spare_;  // blocks that were taken, for their memory
  bool ended_ = false;       // nothing follows what is queued but the status
  bool stopped_ = false;     // nobody asks for more
  bool out_of_memory_ = false;
  Status status_;
};

}  // namespace recs

#endif  // RECS_TABLE_FILE_SOURCE_H_
