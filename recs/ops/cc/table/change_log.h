// What changed in a table since a moment: which records, and which keys were removed.
//
// Followed from the first time that somebody asks for changes. Time is counted in epochs: every
// base and every delta ends one. Records carry the epoch of their last change, and the keys that
// were removed are listed with theirs. A cursor names the end of an epoch of a table's life; a new
// life begins when all records are replaced at once, so that no cursor of before fits.
#ifndef RECS_TABLE_CHANGE_LOG_H_
#define RECS_TABLE_CHANGE_LOG_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <new>
#include <string>
#include <utility>

namespace recs {

struct Cursor {
  std::array<uint8_t, 16> life{};  // zeros for no cursor
  uint64_t epoch = 0;

  bool none() const { return life == std::array<uint8_t, 16>{}; }
  bool operator==(const Cursor& other) const {
    return life == other.life && epoch == other.epoch;
  }
  // 32 hexadecimal digits, a hyphen and the epoch; empty for no cursor.
  std::string ToText() const;
  static bool FromText(const std::string& text, Cursor* cursor);
  // The beginning of a life that no other table has.
  static Cursor NewLife();
};

// The keys that a shard has lost, oldest first.
template <class Key>
class RemovalLog {
 public:
  struct Removal {
    uint32_t epoch;
    Key key;
  };

  // Keeps the newest `most` removals. What there is no memory for is as if it had been too many.
  template <class K>
  void Add(uint32_t epoch, K key, size_t most) noexcept {
    try {
      removals_.push_back({epoch, Key(key)});
    } catch (const std::bad_alloc&) {
      Forget(epoch);
      return;
    }
    while (!pinned_ && removals_.size() > most) {
      known_since_ = removals_.front().epoch;
      removals_.pop_front();
    }
  }
  // Every removal after this epoch is listed.
  uint32_t known_since() const { return known_since_; }
  void Forget(uint32_t epoch) noexcept {
    known_since_ = epoch;
    if (!pinned_) removals_.clear();
  }
  // While pinned, no removal leaves, so that their numbers stay.
  void Pin(bool pinned) { pinned_ = pinned; }
  size_t size() const { return removals_.size(); }
  const Removal& at(size_t number) const { return removals_[number]; }
  // The number of the first one after this epoch.
  size_t FirstAfter(uint64_t epoch) const {
    const auto after = [epoch](const Removal& one) { return one.epoch <= epoch; };
    return std::partition_point(removals_.begin(), removals_.end(), after) - removals_.begin();
  }

 private:
  std::deque<Removal> removals_;
  uint32_t known_since_ = 0;
  bool pinned_ = false;
};

}  // namespace recs

#endif  // RECS_TABLE_CHANGE_LOG_H_
