// The record of one key, and where its parts lie.
//
//   | key 8 | generation 4 | reserved 4 | embedding dim*4 | slot 0 dim*4 | slot 1 dim*4 | ... |
//
// One record holds everything about a key, so that one probe reaches it and one eviction frees it.
// An int64 key is stored as it is; a string key is stored as a pointer to its bytes.
#ifndef RECS_TABLE_ROW_LAYOUT_H_
#define RECS_TABLE_ROW_LAYOUT_H_

#include <cstddef>
#include <cstdint>

namespace recs {

struct RowHeader {
  uint64_t key;
  uint32_t generation;  // differs between keys that had this place: stale handles are told by it
  uint32_t reserved;
};
static_assert(sizeof(RowHeader) == 16, "the embedding starts 16 bytes into the record");

class RowLayout {
 public:
  RowLayout(int dim, int slots) : dim_(dim), slots_(slots) {}

  int dim() const { return dim_; }
  int slots() const { return slots_; }
  // Bytes from one record to the next; a multiple of 8, so that headers stay aligned.
  size_t stride() const {
    const size_t bytes = sizeof(RowHeader) + sizeof(float) * dim_ * (1 + slots_);
    return (bytes + 7) & ~size_t{7};
  }

  static RowHeader* header(char* record) { return reinterpret_cast<RowHeader*>(record); }
  static float* embedding(char* record) {
    return reinterpret_cast<float*>(record + sizeof(RowHeader));
  }
  static const float* embedding(const char* record) {
    return reinterpret_cast<const float*>(record + sizeof(RowHeader));
  }
  // Slot s of the record; slots follow the embedding without a gap.
  float* slot(char* record, int s) const { return embedding(record) + size_t(dim_) * (1 + s); }

 private:
  int dim_;
  int slots_;
};

}  // namespace recs

#endif  // RECS_TABLE_ROW_LAYOUT_H_
