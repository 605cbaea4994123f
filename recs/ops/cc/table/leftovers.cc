#include "table/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace recs {
namespace {

constexpr std::string_view kMark = ".partial.";

// Whether a name is one that PartialPath gives: the mark, a process, and a number.
bool IsPartial(std::string_view name) {
  const size_t mark = name.rfind(kMark);
  if (mark == std::string_view::npos) return false;
  const std::string_view numbers = name.substr(mark + kMark.size());
  const size_t dot = numbers.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == numbers.size()) return false;
  return numbers.find_first_not_of("0123456789.") == std::string_view::npos &&
         numbers.find('.', dot + 1) == std::string_view::npos;
}

void RemoveUnlessHeld(int folder, const char* name) {
  const int file = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return;
  struct stat about;
  const bool regular = fstat(file, &about) == 0 && S_ISREG(about.st_mode);
  if (regular && flock(file, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, name, 0);
  close(file);
}

}  // namespace

std::string PartialPath(const std::string& path) {
  // Two savers of one path must not write into one file, whether threads or processes.
  static std::atomic<uint64_t> savers{0};
  return path + std::string(kMark) + std::to_string(getpid()) + "." + std::to_string(savers++);
}

void RemoveLeftovers(const std::string& folder) {
  DIR* names = opendir(folder.c_str());
  if (names == nullptr) return;
  while (const dirent* entry = readdir(names)) {
    if (IsPartial(entry->d_name)) RemoveUnlessHeld(dirfd(names), entry->d_name);
  }
  closedir(names);
}

}  // namespace recs
