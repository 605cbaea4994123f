// A file that is written once, from its first byte to its last.
//
// What is written goes to the disk past the page cache, where the file system allows it: copying
// into fresh pages of the cache costs more than the disk does, and a large table would drive out
// what other programs have there. Direct writes want whole pages at whole pages of the file, so
// bytes are gathered first; the rest of the last page goes through the cache.
#ifndef RECS_TABLE_OUTPUT_FILE_H_
#define RECS_TABLE_OUTPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace recs {

// Functions return 0 or what errno said.
class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Makes the file, or empties it, and holds a lock on it while it is open: files that nobody holds
  // are left over from a process that was killed.
  int Open(const std::string& path);
  bool is_open() const { return file_ >= 0; }
  int Write(const char* data, size_t size);
  // Brings everything to the disk; the file is held until it is closed.
  int Finish();
  int Close();

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  int OpenOnce(const std::string& path);
  int WriteGathered();
  int WriteAll(const char* data, size_t size);
  bool StopDirect();

  int file_ = -1;
  bool direct_ = false;
  std::unique_ptr<char, Free> gathered_;  // null: nothing is gathered
  size_t size_ = 0;                       // of what is gathered
};

}  // namespace recs

#endif  // RECS_TABLE_OUTPUT_FILE_H_
