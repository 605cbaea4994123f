// Snapshots in a file: each block after its length, and a zero length at the end.
#ifndef RECS_TABLE_SNAPSHOT_FILE_H_
#define RECS_TABLE_SNAPSHOT_FILE_H_

#include <cstdio>
#include <string>
#include <string_view>

#include "table/snapshot.h"

namespace recs {

// Writes beside `path` and takes its name at the end, so that `path` is the old file or the new
// one whatever happens between. Destroyed before Finish, it leaves nothing behind.
class FileSink final : public BlockSink {
 public:
  explicit FileSink(std::string path);
  ~FileSink() override;

  Status Open();
  Status Append(std::string_view block) override;
  // Brings the bytes to the disk and renames.
  Status Finish();

 private:
  Status Failed(const char* action) const;

  std::string path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
};

class FileSource final : public BlockSource {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}
  ~FileSource() override;

  Status Open();
  Status Next(std::string_view* block, bool* end) override;
  Status Rewind() override;
  std::string name() const override { return path_; }

 private:
  Status Cut() const;

  std::string path_;
  std::string block_;
  std::FILE* file_ = nullptr;
  uint64_t left_ = 0;  // bytes of the file after what was read
};

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_FILE_H_
