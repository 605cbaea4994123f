// The engine's work on the threads of somebody's pool.
//
// One operation on a table runs a dozen short jobs, one after another. Waking a thread for each of
// them takes about as long as the job, so threads are asked for once and then look out for the next
// job for some microseconds. Nobody waits for a thread that has not come: the caller works through
// the chunks too, and whoever is there takes the next.
#ifndef RECS_TABLE_TEAM_EXECUTOR_H_
#define RECS_TABLE_TEAM_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "table/executor.h"

namespace recs {

// For one operation, and the one thread that calls it. Work must not call ParallelFor of the same
// executor again.
class TeamExecutor final : public Executor {
 public:
  // Has a thread of the pool run a function, some time.
  using Schedule = std::function<void(std::function<void()>)>;

  // `threads` counts the caller.
  TeamExecutor(int threads, Schedule schedule);
  ~TeamExecutor() override;
  TeamExecutor(const TeamExecutor&) = delete;
  TeamExecutor& operator=(const TeamExecutor&) = delete;

  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override;
  int threads() const override { return threads_; }

 private:
  class Team;

  const int threads_;
  const Schedule schedule_;
  std::shared_ptr<Team> team_;  // made by the first job that is worth it
};

}  // namespace recs

#endif  // RECS_TABLE_TEAM_EXECUTOR_H_
