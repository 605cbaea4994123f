// A copy of bytes that may be none.
//
// std::memcpy asks for pointers that are not null even where nothing is copied, and the data of an
// empty vector or string_view is null.
#ifndef RECS_TABLE_COPY_BYTES_H_
#define RECS_TABLE_COPY_BYTES_H_

#include <cstddef>
#include <cstring>

namespace recs {

inline void CopyBytes(void* to, const void* from, size_t size) {
  if (size > 0) std::memcpy(to, from, size);
}

}  // namespace recs

#endif  // RECS_TABLE_COPY_BYTES_H_
