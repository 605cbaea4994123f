// Lets one save at a time run over a table, and holds writers back when they outrun it.
//
// A save is a scan: it writes records one after another while writers go on, and a writer keeps a
// copy of each record that it changes before the scan has come to it. The gate counts the bytes of
// these copies. Beyond the budget, operations that change the table wait before they take any lock,
// so that copies exceed it by no more than what the operations under way add.
#ifndef RECS_TABLE_SCAN_GATE_H_
#define RECS_TABLE_SCAN_GATE_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace recs {

class ScanGate {
 public:
  // Held by a scan from its moment to its end, and by whatever replaces all records. Taken before
  // any other lock of the table; one thread may take it and another give it back.
  void lock() {
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [this] { return !taken_; });
    taken_ = true;
  }
  void unlock() {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      taken_ = false;
      crowded_ = false;
      kept_ = 0;
      failed_ = false;
    }
    changed_.notify_all();
  }

  // Of an operation that will change records, before it takes a lock.
  void WaitForRoom() {
    if (!crowded_.load(std::memory_order_relaxed)) return;
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [this] { return !crowded_; });
  }

  // How many bytes of copies there may be.
  void SetBudget(size_t bytes) { budget_ = bytes; }
  // A writer has kept a copy, or had no memory for it.
  void Keep(size_t bytes) noexcept {
    if (kept_.fetch_add(bytes) + bytes > budget_) crowded_ = true;
  }
  void Fail() noexcept { failed_ = true; }
  bool failed() const { return failed_; }
  // Whether copies are to be written before anything else.
  bool crowded() const { return crowded_ || kept_ > budget_ / 2; }
  // Copies were written.
  void Release(size_t bytes) {
    kept_ -= bytes;
    if (kept_ > budget_) return;
    {
      std::lock_guard<std::mutex> hold(mutex_);
      crowded_ = false;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool taken_ = false;
  std::atomic<bool> crowded_{false};
  std::atomic<bool> failed_{false};
  std::atomic<size_t> kept_{0};
  std::atomic<size_t> budget_{0};
};

}  // namespace recs

#endif  // RECS_TABLE_SCAN_GATE_H_
