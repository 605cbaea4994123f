#include "table/team_executor.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace recs {
namespace {

constexpr int64_t kSmallestJob = 40000;    // CPU cycles; below, a second thread costs what it saves
constexpr int64_t kSmallestChunk = 10000;
constexpr int kChunksPerThread = 4;        // so that uneven chunks even out
// How long a thread looks out for the next job before it goes.
constexpr std::chrono::microseconds kPatience(100);

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  sched_yield();
#endif
}

}  // namespace

// The jobs of one run, and the threads that help with them. It outlives the run for as long as a
// helper has not noticed its end.
class TeamExecutor::Team {
 public:
  // Runs a job and returns when it is done.
  void Run(int64_t total, uint32_t chunks, const std::function<void(int64_t, int64_t)>& work) {
    total_ = total;
    chunks_ = chunks;
    work_ = &work;
    finished_.store(0, std::memory_order_relaxed);
    const uint64_t job = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
    ticket_.store(job << 32 | chunks, std::memory_order_release);
    while (TakeChunk()) {
    }
    // Helpers are inside a chunk now. On a machine with more threads than cores one may have been
    // put aside there: let it have this core.
    for (int spins = 0; finished_.load(std::memory_order_acquire) != chunks; ++spins) {
      spins < 2000 ? Pause() : static_cast<void>(sched_yield());
    }
  }

  // What a helper does: work while there is some, and go after kPatience without.
  void Help() {
    auto idle_since = std::chrono::steady_clock::now();
    while (!closed_.load(std::memory_order_acquire)) {
      if (TakeChunk()) {
        while (TakeChunk()) {
        }
        idle_since = std::chrono::steady_clock::now();
        continue;
      }
      for (int i = 0; i < 32; ++i) Pause();
      if (std::chrono::steady_clock::now() - idle_since > kPatience) break;
    }
    helpers_.fetch_sub(1, std::memory_order_release);
  }

  void Close() { closed_.store(true, std::memory_order_release); }
  int helpers() const { return helpers_.load(std::memory_order_acquire); }
  void Expect(int more) { helpers_.fetch_add(more, std::memory_order_relaxed); }

 private:
  // Runs one chunk of the current job; false when none is left to take.
  bool TakeChunk() {
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    do {
      if (static_cast<uint32_t>(ticket) == 0) return false;
    } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel));
    // A chunk was taken, so the job does not end, and its fields stay, until it is finished.
    const int64_t chunk = static_cast<int64_t>(chunks_) - static_cast<uint32_t>(ticket);
    const int64_t chunks = chunks_;
    (*work_)(total_ * chunk / chunks, total_ * (chunk + 1) / chunks);
    finished_.fetch_add(1, std::memory_order_release);
    return true;
  }

  // The number of the job, and below it how many of its chunks nobody has taken: one word, so that
  // a helper which was late for one job cannot take a chunk of the next by mistake.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  int64_t total_ = 0;
  uint32_t chunks_ = 0;
  const std::function<void(int64_t, int64_t)>* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> finished_{0};
  std::atomic<int> helpers_{0};
  std::atomic<bool> closed_{false};
};

TeamExecutor::TeamExecutor(int threads, Schedule schedule)
    : threads_(std::max(1, threads)), schedule_(std::move(schedule)) {}

TeamExecutor::~TeamExecutor() {
  if (team_ != nullptr) team_->Close();
}

void TeamExecutor::ParallelFor(int64_t total, int64_t cost,
                                 const std::function<void(int64_t, int64_t)>& work) {
  if (total <= 0) return;
  const double cycles = static_cast<double>(total) * static_cast<double>(std::max<int64_t>(cost, 1));
  if (threads_ == 1 || total == 1 || cycles < kSmallestJob) return work(0, total);
  const int64_t most = std::min<int64_t>(total, int64_t{threads_} * kChunksPerThread);
  const auto chunks = std::clamp<int64_t>(static_cast<int64_t>(cycles / kSmallestChunk), 2, most);
  if (team_ == nullptr) team_ = std::make_shared<Team>();
  const int missing = static_cast<int>(std::min<int64_t>(chunks, threads_)) - 1 - team_->helpers();
  if (missing > 0) {
    team_->Expect(missing);
    for (int i = 0; i < missing; ++i) schedule_([team = team_] { team->Help(); });
  }
  team_->Run(total, static_cast<uint32_t>(chunks), work);
}

}  // namespace recs
