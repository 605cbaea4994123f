// A delta as arrays, for whoever passes changes on by other ways than a file.
#ifndef RECS_TABLE_SNAPSHOT_CHANGES_H_
#define RECS_TABLE_SNAPSHOT_CHANGES_H_

#include <string>
#include <vector>

#include "table/snapshot.h"

namespace recs {

template <class K>
struct Changes {
  using Key = typename Table<K>::KeyOut;
  std::vector<Key> keys;     // (n) of rows that changed or are new
  std::vector<float> rows;   // (n, dim)
  std::vector<Key> removed;  // (m) that are not there any more, each once
  Cursor cursor;
};

// What changed since a cursor, or all rows where it is none.
template <class K>
Status ChangesSince(const Table<K>& table, const Cursor& since, Changes<K>* changes);

}  // namespace recs

#endif  // RECS_TABLE_SNAPSHOT_CHANGES_H_
