// The index of a shard: from 32 bits of a key's hash to the number of its record.
//
// Open addressing with linear probing over 8-byte entries {tag, number}: eight entries a cache
// line, and at three quarters full most probes end in the line where they began. The place of an
// entry follows from its tag alone, so growing and deleting never touch a record. Whether a record
// with the right tag has the right key is the caller's to say: tags of different keys may be equal.
//
// It grows into an array of twice the size a few places at a time, with each new entry, so that no
// insertion waits for all of them. Meanwhile some entries are in the old array and some in the new.
//
// Not thread-safe: the shard's lock guards it.
#ifndef RECS_TABLE_HASH_INDEX_H_
#define RECS_TABLE_HASH_INDEX_H_

#include <cstdint>
#include <utility>

#include "table/zeroed_memory.h"

namespace recs {

class HashIndex {
 public:
  static constexpr uint32_t kNone = 0xffffffffu;

  // `fill` is how full, in percent, the index may get. Shards are given different ones so that
  // they do not all grow in the same step.
  explicit HashIndex(double fill) : fill_(fill), new_(kSmallest) { SetLimit(); }

  void Prefetch(uint32_t tag) const {
    __builtin_prefetch(&new_[tag]);
    if (InOld(tag)) __builtin_prefetch(&old_[tag]);
  }

  // The number of the first entry with this tag for which `same(number)` holds, or kNone.
  template <class Same>
  uint32_t Find(uint32_t tag, Same same) const {
    if (InOld(tag)) {
      const uint32_t number = FindIn(old_, tag, same);
      if (number != kNone) return number;
    }
    return FindIn(new_, tag, same);
  }

  // The first entry's number that a Find of this tag would ask `same` about, or kNone.
  uint32_t FirstCandidate(uint32_t tag) const {
    return Find(tag, [](uint32_t) { return true; });
  }

  // Makes room for one more entry; Insert after it cannot fail. Throws std::bad_alloc.
  void Reserve() {
    if (old_.count() > 0) MoveSome();
    if (size_ == limit_) Grow();
  }
  // The same for many.
  void Reserve(uint64_t more) {
    while (size_ + more > limit_) Grow();
  }
  void Insert(uint32_t tag, uint32_t number);
  // Removes the entry of this number, which must be there.
  void Erase(uint32_t tag, uint32_t number);

  // Gives the memory back; needs none itself, so it cannot fail.
  void Clear();

  template <class Visit>  // visit(number); the order repeats with the history
  void ForEach(Visit visit) const {
    ForFirst(size(), visit);
  }

  template <class Visit>  // visit(number) for the first n of these, so many there are
  void ForFirst(uint32_t n, Visit visit) const {
    for (uint32_t at = moved_; n > 0 && at < old_.count(); ++at) {
      const Entry& entry = old_[start_ + at];
      if (entry.empty()) continue;
      visit(entry.number());
      --n;
    }
    for (uint32_t at = 0; n > 0; ++at) {
      if (new_[at].empty()) continue;
      visit(new_[at].number());
      --n;
    }
  }

  uint32_t size() const { return static_cast<uint32_t>(size_); }
  uint64_t bytes() const { return old_.bytes() + new_.bytes(); }
  uint64_t places() const { return new_.count(); }

 private:
  static constexpr uint32_t kSmallest = 16;
  static constexpr uint32_t kMovedAtOnce = 16;  // places; two would do to be ready in time

  // All zeros is no entry, so that fresh memory need not be filled.
  struct Entry {
    uint32_t tag;
    uint32_t stored;  // the complement of the number

    bool empty() const { return stored == 0; }
    uint32_t number() const { return ~stored; }
  };

  // 2^k entries, or none at all. Numbers of places are taken modulo their count.
  class Places {
   public:
    Places() = default;
    explicit Places(uint64_t count)
        : memory_(count * sizeof(Entry)),
          entries_(reinterpret_cast<Entry*>(memory_.data())),
          mask_(static_cast<uint32_t>(count) - 1) {}

    Entry& operator[](uint32_t place) const { return entries_[place & mask_]; }
    uint64_t count() const { return entries_ == nullptr ? 0 : uint64_t{mask_} + 1; }
    uint64_t bytes() const { return memory_.bytes(); }
    uint32_t mask() const { return mask_; }
    void Put(Entry entry) const;
    // The place of a number, which must be at its tag's or behind it, or an empty one.
    uint32_t PlaceOf(uint32_t tag, uint32_t number) const;
    void Remove(uint32_t hole) const;

   private:
    ZeroedMemory memory_;
    Entry* entries_ = nullptr;
    uint32_t mask_ = 0;
  };

  template <class Same>
  static uint32_t FindIn(const Places& places, uint32_t tag, Same same) {
    for (uint32_t at = tag;; ++at) {
      const Entry entry = places[at];
      if (entry.empty()) return kNone;
      if (entry.tag == tag && same(entry.number())) return entry.number();
    }
  }

  // Whether an entry of this tag that was there before the growth is still in the old array.
  bool InOld(uint32_t tag) const {
    return old_.count() > 0 && ((tag - start_) & old_.mask()) >= moved_;
  }
  void Grow();
  void MoveSome();
  void SetLimit() { limit_ = static_cast<uint64_t>(new_.count() * fill_ / 100.0); }

  double fill_;
  uint64_t limit_ = 0;  // entries that fit before it grows
  uint64_t size_ = 0;
  Places new_;  // where entries are put
  Places old_;  // while it grows: where those of before are taken from
  // Of the old array, the places that were moved begin behind an empty one, and so many they are. An
  // empty one is also the last of them: no run of entries is ever half moved.
  uint32_t start_ = 0;
  uint32_t moved_ = 0;
};

}  // namespace recs

#endif  // RECS_TABLE_HASH_INDEX_H_
