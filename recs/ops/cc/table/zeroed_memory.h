// Zeroed memory that costs nothing until it is touched, on huge pages where it is large.
//
// Tables are read at random: with pages of 4 KB nearly every read would also miss the processor's
// list of pages, and each page would be a fault of its own when a table grows.
#ifndef RECS_TABLE_ZEROED_MEMORY_H_
#define RECS_TABLE_ZEROED_MEMORY_H_

#include <cstddef>

namespace recs {

class ZeroedMemory {
 public:
  static constexpr size_t kHugePage = size_t{2} << 20;

  ZeroedMemory() = default;
  // Throws std::bad_alloc.
  explicit ZeroedMemory(size_t bytes);
  ~ZeroedMemory();
  ZeroedMemory(ZeroedMemory&& other) noexcept;
  ZeroedMemory& operator=(ZeroedMemory&& other) noexcept;

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* base_ = nullptr;
  size_t mapped_ = 0;  // address space from `base_` on; none for small memory
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace recs

#endif  // RECS_TABLE_ZEROED_MEMORY_H_
