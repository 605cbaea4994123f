#include "table/hash_index.h"

#include <algorithm>
#include <new>

namespace recs {

void HashIndex::Places::Put(Entry entry) const {
  uint32_t at = entry.tag;
  while (!(*this)[at].empty()) ++at;
  (*this)[at] = entry;
}

uint32_t HashIndex::Places::PlaceOf(uint32_t tag, uint32_t number) const {
  uint32_t at = tag;
  while (!(*this)[at].empty() && (*this)[at].number() != number) ++at;
  return at;
}

void HashIndex::Places::Remove(uint32_t hole) const {
  // Close the gap: an entry behind it moves in when its own place is not after the gap, so that
  // no probe ends too early and no tombstones are left to slow the next ones.
  for (uint32_t at = hole + 1; !(*this)[at].empty(); ++at) {
    const uint32_t from_home = (at - (*this)[at].tag) & mask_;
    const uint32_t from_hole = (at - hole) & mask_;
    if (from_home >= from_hole) {
      (*this)[hole] = (*this)[at];
      hole = at;
    }
  }
  (*this)[hole] = {};
}

void HashIndex::Insert(uint32_t tag, uint32_t number) {
  new_.Put({tag, ~number});
  ++size_;
}

void HashIndex::Erase(uint32_t tag, uint32_t number) {
  const uint32_t place = InOld(tag) ? old_.PlaceOf(tag, number) : 0;
  if (InOld(tag) && !old_[place].empty()) {
    old_.Remove(place);
  } else {
    new_.Remove(new_.PlaceOf(tag, number));
  }
  --size_;
}

void HashIndex::Clear() {
  old_ = Places();
  try {
    new_ = Places(kSmallest);
  } catch (const std::bad_alloc&) {  // keeps the larger block rather than throw
    for (uint32_t at = 0; at < new_.count(); ++at) new_[at] = {};
  }
  SetLimit();
  size_ = 0;
}

void HashIndex::Grow() {
  Places larger(new_.count() * 2);
  while (old_.count() > 0) MoveSome();
  old_ = std::exchange(new_, std::move(larger));
  moved_ = 0;
  start_ = 0;
  while (!old_[start_].empty()) ++start_;
  ++start_;
  SetLimit();
}

void HashIndex::MoveSome() {
  for (uint32_t n = 1; moved_ < old_.count(); ++n) {
    const Entry entry = old_[start_ + moved_++];
    if (!entry.empty()) {
      new_.Put(entry);
    } else if (n >= kMovedAtOnce) {
      return;
    }
  }
  old_ = Places();
}

}  // namespace recs
