// The record of one key, and where its parts lie.
//
//   | key 0 or 16 | header 24 | embedding dim*4 or dim*2 | vector slots dim*4 each | scalars 4 each |
//
// One record holds everything about a key, so that one probe reaches it and one eviction frees it.
// How a key is stored is in keys.h. Pointers to a record point to its header.
#ifndef RECS_TABLE_ROW_LAYOUT_H_
#define RECS_TABLE_ROW_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "table/storage.h"

namespace recs {

struct RowHeader {
  uint64_t key;
  uint32_t generation;  // differs between keys that had this place: stale handles are told by it
  uint32_t count;       // how often training has looked the key up; stays at its maximum
  uint32_t last_step;   // the table's step when it did last; before that, when the row was set
  uint32_t last_time;   // and the newest time that came with it in seconds; 0 for none
};
static_assert(sizeof(RowHeader) == 24, "the embedding starts 24 bytes into the record");

// What training notes with a key.
struct RowMetadata {
  uint32_t count = 0, last_step = 0, last_time = 0;
};

// How many slots an optimizer needs: vectors as wide as the embedding, and single numbers.
struct SlotShape {
  int vectors = 0;
  int scalars = 0;
  bool operator==(const SlotShape& other) const {
    return vectors == other.vectors && scalars == other.scalars;
  }
};

class RowLayout {
 public:
  RowLayout(int dim, Storage storage, SlotShape slots, size_t key_prefix = 0)
      : dim_(dim), storage_(storage), slots_(slots), key_prefix_(key_prefix) {}

  int dim() const { return dim_; }
  Storage storage() const { return storage_; }
  SlotShape slots() const { return slots_; }
  // Floats of all slots.
  size_t slot_floats() const { return size_t(dim_) * slots_.vectors + slots_.scalars; }
  size_t embedding_bytes() const { return dim_ * BytesOf(storage_); }
  size_t key_prefix() const { return key_prefix_; }
  // What a look-up reads of a record, from its header on.
  size_t read_bytes() const { return sizeof(RowHeader) + embedding_bytes(); }
  // Bytes from one record to the next; a multiple of 8, so that headers stay aligned.
  size_t stride() const {
    return key_prefix_ + ((slots_begin() + sizeof(float) * slot_floats() + 7) & ~size_t{7});
  }

  static RowHeader* header(char* record) { return reinterpret_cast<RowHeader*>(record); }
  static const RowHeader* header(const char* record) {
    return reinterpret_cast<const RowHeader*>(record);
  }
  static RowMetadata metadata(const char* record) {
    const RowHeader* h = header(record);
    return {h->count, h->last_step, h->last_time};
  }
  static char* embedding(char* record) { return record + sizeof(RowHeader); }
  static const char* embedding(const char* record) { return record + sizeof(RowHeader); }
  // The slots follow one another without a gap: vectors first, then scalars.
  float* slots(char* record) const { return reinterpret_cast<float*>(record + slots_begin()); }
  const float* slots(const char* record) const {
    return reinterpret_cast<const float*>(record + slots_begin());
  }

  // values (dim) of the embedding.
  void Read(const char* record, float* values) const {
    Decode(storage_, embedding(record), values, dim_);
  }
  // The values where they are, when they are stored as float32, else decoded into `scratch` (dim).
  const float* View(const char* record, float* scratch) const {
    if (storage_ == Storage::kFloat32) return reinterpret_cast<const float*>(embedding(record));
    Read(record, scratch);
    return scratch;
  }
  void Write(const float* values, char* record) const {
    EncodeNearest(storage_, values, embedding(record), dim_);
  }

 private:
  size_t slots_begin() const {
    return (sizeof(RowHeader) + embedding_bytes() + 3) & ~size_t{3};
  }

  int dim_;
  Storage storage_;
  SlotShape slots_;
  size_t key_prefix_;
};

// Writes the embeddings of records one after another. Values that are computed as float32 go through
// memory of its own where the record has less room for them. Making one may throw std::bad_alloc,
// writing does not.
class RowWriter {
 public:
  explicit RowWriter(const RowLayout& layout)
      : layout_(layout), values_(layout.storage() == Storage::kFloat32 ? 0 : layout.dim()) {}

  // Calls compute(values) with room for `dim` floats, and stores them in the record.
  template <class Compute>
  void Write(char* record, const Compute& compute) {
    if (layout_.storage() == Storage::kFloat32) {
      compute(reinterpret_cast<float*>(RowLayout::embedding(record)));
    } else {
      compute(values_.data());
      layout_.Write(values_.data(), record);
    }
  }

 private:
  const RowLayout& layout_;
  std::vector<float> values_;
};

}  // namespace recs

#endif  // RECS_TABLE_ROW_LAYOUT_H_
