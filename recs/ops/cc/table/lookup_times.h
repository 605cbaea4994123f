// The time that rows are judged by, from the times that training's look-ups came with.
//
// It is the earlier of the last two look-ups' times. So one event of a clock that runs ahead, in
// whatever place of the stream, makes no other row older; times that go on, in leaps or back to the
// beginning of a log, are followed one look-up later. See docs/decisions/016.
#ifndef RECS_TABLE_LOOKUP_TIMES_H_
#define RECS_TABLE_LOOKUP_TIMES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace recs {

// Thread-safe. Times are in seconds; 0 is none.
class LookupTimes {
 public:
  // 0 before two look-ups came with times.
  uint32_t now() const { return now_.load(std::memory_order_relaxed); }
  // Of the last look-up; what is saved with a table.
  uint32_t last() const {
    std::lock_guard<std::mutex> hold(mutex_);
    return last_;
  }

  // A look-up in this step came with this time. One more of the same step and time confirms nothing.
  void Note(uint32_t time, uint32_t step) {
    if (time == 0) return;
    std::lock_guard<std::mutex> hold(mutex_);
    if (time == last_ && step == step_) return;
    before_ = last_;
    last_ = time;
    step_ = step;
    now_ = std::min(before_, last_);
  }
  // The time of another table whose rows were taken over: none of them is of the future.
  void Raise(uint32_t time) {
    std::lock_guard<std::mutex> hold(mutex_);
    before_ = std::max(before_, time);
    last_ = std::max(last_, time);
    now_ = std::min(before_, last_);
  }
  // Goes on from a saved time.
  void Restore(uint32_t time) {
    std::lock_guard<std::mutex> hold(mutex_);
    before_ = last_ = time;
    step_ = kNoStep;
    now_ = time;
  }

 private:
  static constexpr uint64_t kNoStep = ~uint64_t{0};

  mutable std::mutex mutex_;  // guards what follows, and writes to `now_`
  uint32_t before_ = 0;       // of the look-up before the last
  uint32_t last_ = 0;
  uint64_t step_ = kNoStep;   // of the last look-up
  std::atomic<uint32_t> now_{0};
};

}  // namespace recs

#endif  // RECS_TABLE_LOOKUP_TIMES_H_
