#include "table/team_executor.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "support.h"

namespace recs::testing {
namespace {

constexpr int64_t kCostly = 1 << 20;  // cycles of a unit: worth all threads

// Threads that run what they are given, in turn.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  TeamExecutor::Schedule schedule() {
    return [this](std::function<void()> work) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back(std::move(work));
      }
      wake_.notify_one();
    };
  }
 private:
  void Run() {
    for (;;) {
      std::function<void()> work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  bool closed_ = false;
};

// Runs a job of `total` units and checks that each was done once before ParallelFor returned.
void CheckJob(Executor& executor, int64_t total, int64_t cost) {
  std::vector<int> done(total, 0);  // plain: a race, or a unit done late, is for TSan to see
  executor.ParallelFor(total, cost, [&](int64_t begin, int64_t end) {
    CHECK(begin < end);
    for (int64_t i = begin; i < end; ++i) ++done[i];
  });
  for (int64_t i = 0; i < total; ++i) CHECK_EQ(done[i], 1);
}

TEST(EveryUnitOfManyShortJobsIsDoneOnce) {
  Pool pool(3);
  Random random(7);
  for (int run = 0; run < 200; ++run) {
    TeamExecutor executor(4, pool.schedule());
    for (int job = 0; job < 50; ++job) {
      CheckJob(executor, static_cast<int64_t>(random.Below(300)),
               static_cast<int64_t>(1 + random.Below(kCostly)));
    }
  }
}

TEST(NobodyWaitsForAThreadThatDoesNotCome) {
  std::vector<std::function<void()>> late;
  {
    TeamExecutor executor(3, [&](std::function<void()> work) { late.push_back(std::move(work)); });
    for (int64_t total = 1; total < 100; ++total) CheckJob(executor, total, kCostly);
  }
  CHECK_EQ(late.size(), 2u);  // asked once each
  for (auto& work : late) work();  // after the end: nothing left to do
}

TEST(AShortJobRunsOnTheCaller) {
  TeamExecutor executor(2, [](std::function<void()>) { CHECK(false); });
  CheckJob(executor, 30, 1000);
  CheckJob(executor, 1, kCostly);
  CheckJob(executor, 0, kCostly);
  TeamExecutor alone(1, [](std::function<void()>) { CHECK(false); });
  CheckJob(alone, 1000, kCostly);
  CHECK_EQ(alone.threads(), 1);
}

TEST(SeveralTeamsShareAPool) {
  Pool pool(2);
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&pool, c] {
      for (int run = 0; run < 50; ++run) {
        TeamExecutor executor(3, pool.schedule());
        for (int job = 0; job < 10; ++job) CheckJob(executor, 64 + c, kCostly);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace recs::testing
