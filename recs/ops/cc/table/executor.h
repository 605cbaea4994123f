// How the engine asks for threads without knowing whose they are.
#ifndef RECS_TABLE_EXECUTOR_H_
#define RECS_TABLE_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <new>

namespace recs {

class Executor {
 public:
  virtual ~Executor() = default;

  // Calls `work(begin, end)` on disjoint ranges that cover [0, total), possibly at once, and
  // returns when all are done. `cost` is the estimated number of CPU cycles of one unit; a small
  // job runs on the calling thread. `work` must not throw: on a thread of someone else nobody
  // would catch it.
  virtual void ParallelFor(int64_t total, int64_t cost,
                           const std::function<void(int64_t, int64_t)>& work) = 0;

  // The number of threads worth splitting work for, at least 1.
  virtual int threads() const = 0;
};

// Runs everything on the calling thread.
class InlineExecutor final : public Executor {
 public:
  void ParallelFor(int64_t total, int64_t /*cost*/,
                   const std::function<void(int64_t, int64_t)>& work) override {
    if (total > 0) work(0, total);
  }
  int threads() const override { return 1; }
};

// ParallelFor for work that may run out of memory: whatever thread that happens on, the caller's
// throws std::bad_alloc once all threads are done.
template <class Work>
void ParallelForOrThrow(Executor& executor, int64_t total, int64_t cost, const Work& work) {
  std::atomic<bool> out_of_memory{false};
  executor.ParallelFor(total, cost, [&](int64_t begin, int64_t end) {
    try {
      work(begin, end);
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  });
  if (out_of_memory) throw std::bad_alloc();
}

}  // namespace recs

#endif  // RECS_TABLE_EXECUTOR_H_
