#include "table/waiting_room.h"

#include <string_view>
#include <utility>

#include "table/hash.h"
#include "table/keys.h"
#include "table/eviction.h"
#include "table/row_layout.h"
#include "table/shard.h"

namespace recs {

template <class K>
WaitingRoom<K>::WaitingRoom(uint32_t count, int shard, std::shared_ptr<SlabPool> pool)
    : count_(count), index_(Shard::Fill(shard)), arena_(Keys<K>::kPrefix + sizeof(RowHeader), Keys<K>::kPrefix, std::move(pool)) {}

template <class K>
WaitingRoom<K>::~WaitingRoom() {
  index_.ForEach([&](uint32_t number) { Keys<K>::Release(arena_.at(number)); });
}

template <class K>
uint32_t WaitingRoom<K>::Find(K key, uint64_t hash) const {
  return index_.Find(TagOf(hash), [&](uint32_t number) {
    return Keys<K>::Load(arena_.at(number)) == key;
  });
}

template <class K>
void WaitingRoom<K>::Insert(K key, uint64_t hash, uint32_t count) {
  index_.Reserve();
  arena_.ReserveFree();
  const uint32_t number = arena_.Allocate();
  char* record = arena_.at(number);
  *RowLayout::header(record) = {0, RowHandle::kNoGeneration, count, 0, 0};
  try {
    Keys<K>::Store(key, record);
  } catch (...) {
    arena_.Free(number);
    throw;
  }
  this->BeforeChange(number);
  RowLayout::header(record)->generation = 0;
  index_.Insert(TagOf(hash), number);
  key_bytes_ += Keys<K>::bytes(key);
}

template <class K>
bool WaitingRoom<K>::Admit(K key, uint64_t hash, uint32_t occurrences, int64_t /*step*/,
                           uint32_t* before) {
  *before = 0;
  const uint32_t number = Find(key, hash);
  RowHeader* header =
      number == HashIndex::kNone ? nullptr : RowLayout::header(arena_.at(number));
  if (header != nullptr) *before = header->count;
  if (uint64_t{*before} + occurrences >= count_) {
    arena_.ReserveFree();  // for Forget
    return true;
  }
  if (header == nullptr) {
    while (index_.size() > 0 && Exceeds(1, Keys<K>::bytes(key))) ForgetOne();
    Insert(key, hash, occurrences);
  } else {
    this->BeforeChange(number);
    header->count += occurrences;
  }
  return false;
}

template <class K>
bool WaitingRoom<K>::Exceeds(int64_t more, uint64_t key_bytes) const {
  const int64_t keys = index_.size() + more;
  const auto bytes = static_cast<int64_t>(
      keys * (Keys<K>::kPrefix + sizeof(RowHeader) + kIndexBytesPerRow) + key_bytes_ + key_bytes);
  return (most_keys_ > 0 && keys > most_keys_) || (most_bytes_ > 0 && bytes > most_bytes_);
}

template <class K>
void WaitingRoom<K>::Bound(int64_t keys, int64_t bytes) {
  most_keys_ = keys;
  most_bytes_ = bytes;
  while (index_.size() > 1 && Exceeds(0, 0)) ForgetOne();
}

template <class K>
void WaitingRoom<K>::ForgetOne() {
  constexpr int kSampled = 16;
  const uint32_t records = arena_.high_water();
  uint32_t chosen = HashIndex::kNone;
  uint64_t chosen_hash = 0;
  for (uint32_t seen = 0, found = 0; seen < records && found < kSampled; ++seen) {
    if (hand_ >= records) hand_ = 0;
    const uint32_t number = hand_++;
    const RowHeader* header = RowLayout::header(arena_.at(number));
    if (header->generation == RowHandle::kNoGeneration) continue;
    ++found;
    // Of equal counts by the hash, so that a small room is the same wherever its records lie.
    const uint64_t hash = HashKey(Keys<K>::Load(arena_.at(number)));
    const uint32_t least =
        chosen == HashIndex::kNone ? 0 : RowLayout::header(arena_.at(chosen))->count;
    if (chosen == HashIndex::kNone || header->count < least ||
        (header->count == least && hash < chosen_hash)) {
      chosen = number;
      chosen_hash = hash;
    }
  }
  Erase(chosen, chosen_hash);
  ++dropped_;
}

template <class K>
void WaitingRoom<K>::Forget(K key, uint64_t hash) {
  const uint32_t number = Find(key, hash);
  if (number != HashIndex::kNone) Erase(number, hash);
}

template <class K>
void WaitingRoom<K>::Erase(uint32_t number, uint64_t hash) {
  arena_.ReserveFree();
  this->BeforeChange(number);
  char* record = arena_.at(number);
  index_.Erase(TagOf(hash), number);
  key_bytes_ -= Keys<K>::bytes(Keys<K>::Load(record));
  Keys<K>::Release(record);
  RowLayout::header(record)->generation = RowHandle::kNoGeneration;
  arena_.Free(number);
}

template <class K>
bool WaitingRoom<K>::PutItem(uint32_t item, int /*shard*/, BlockWriter& block) const {
  const char* record = arena_.at(item);
  if (RowLayout::header(record)->generation == RowHandle::kNoGeneration) return false;
  PutKey(block, Keys<K>::Load(record));
  block.Put(RowLayout::header(record)->count);
  return true;
}

template <class K>
bool WaitingRoom<K>::Restore(K key, uint64_t hash, uint32_t count) {
  if (Find(key, hash) != HashIndex::kNone) return false;
  Insert(key, hash, count);
  return true;
}

template class WaitingRoom<int64_t>;
template class WaitingRoom<std::string_view>;

}  // namespace recs
