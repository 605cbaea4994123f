// Snapshots into a file: each block after its length, and a zero length at the end.
#ifndef RECS_TABLE_FILE_SINK_H_
#define RECS_TABLE_FILE_SINK_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "table/output_file.h"
#include "table/snapshot.h"

namespace recs {

// Writes beside `path` and takes its name at the end, so that `path` is the old file or the new
// one whatever happens between. Destroyed before Finish, it leaves nothing behind.
//
// A thread of its own writes, while the caller makes the next blocks; some of them wait for it. The
// memory of blocks goes round: fresh pages for each would cost as much as filling them.
class FileSink final : public BlockSink {
 public:
  explicit FileSink(std::string path);
  ~FileSink() override;

  Status Open();
  // Tells of what went wrong with this block or with one before it.
  Status Append(std::string block) override;
  std::string Spare() override;
  // Brings the bytes to the disk and renames.
  Status Finish();

 private:
  Status Failed(const char* action, int error) const;
  void WriteQueued();
  Status WriteBlock(const std::string& block);
  void StopThread();

  std::string path_;
  std::string temporary_;
  OutputFile file_;
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::string spare_;  // a large block that was written
  bool ended_ = false;  // no block will follow
  Status status_;
};

}  // namespace recs

#endif  // RECS_TABLE_FILE_SINK_H_
