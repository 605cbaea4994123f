// Files that saves of processes left behind which were killed.
#ifndef RECS_TABLE_LEFTOVERS_H_
#define RECS_TABLE_LEFTOVERS_H_

#include <string>

namespace recs {

// The path that a save writes to before its file is complete; different for every call.
std::string PartialPath(const std::string& path);

// Removes the files of such paths in a folder that nobody holds a lock on. What cannot be removed
// stays.
void RemoveLeftovers(const std::string& folder);

}  // namespace recs

#endif  // RECS_TABLE_LEFTOVERS_H_
