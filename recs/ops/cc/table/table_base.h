// What a table does whatever its keys are: rows by handle, the update of a step, its counts.
//
// Locks, always taken in this order:
//   1. the gate of saves: of a save from its moment to its end, and of what replaces all records
//      (restore, clear, a new row layout);
//   2. the table's: shared by everything that inserts, updates or removes; exclusive for what must
//      see or change all shards at one moment (the moment of a save, restore, clear, a new layout);
//   3. a shard's: exclusive to change it, shared to read it. A reader takes those of all shards, in
//      order, for a few thousand rows at a time; a writer holds one at a time.
// So any number of readers run beside a trainer, and no row is read while it is being written. No
// thread takes a lock twice, not even for reading: see rw_lock.h.
#ifndef RECS_TABLE_TABLE_BASE_H_
#define RECS_TABLE_TABLE_BASE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "optimizers/row_optimizer.h"
#include "table/admission.h"
#include "table/change_log.h"
#include "table/eviction.h"
#include "table/executor.h"
#include "table/keys.h"
#include "table/lookup_times.h"
#include "table/pending_gradients.h"
#include "table/row_initializer.h"
#include "table/row_layout.h"
#include "table/rw_lock.h"
#include "table/scan_gate.h"
#include "table/shard.h"
#include "table/status.h"

namespace recs {

// Updates that a table may count.
constexpr int64_t kMostSteps = int64_t{1} << 62;

struct TableOptions {
  int dim = 0;
  RowInitializer initializer;
  std::string name;            // for messages only
  float default_value = 0.0f;  // every element of the row of a key that has none
  bool mean_default = false;   // such a key gets the mean of all rows, once there are any
  Storage storage = Storage::kFloat32;
  AdmissionOptions admission;
  EvictionOptions eviction;
};

// How a commit turns the sums into updates.
struct CommitOptions {
  OptimizerSpec optimizer;
  float clipnorm = 0.0f;   // of the step's whole gradient of this table; 0 for none
  float clipvalue = 0.0f;  // of each element; 0 for none
};

// What an optimizer was last told, by name, for whoever reads a saved state.
struct Hyperparameter {
  std::string name;
  float value = 0.0f;
};
std::vector<Hyperparameter> HyperparametersOf(const CommitOptions& options);
// What is wrong with the values, any of which could make a row NaN; `where` is for the message.
Status CheckHyperparameters(const CommitOptions& options, const std::string& where);

struct CommitResult {
  int64_t updated = 0;
  int64_t refused = 0;        // rows whose gradient was NaN or infinite
  int64_t stale = 0;          // rows that were removed since the forward pass
  bool slots_reset = false;   // the optimizer differs from the one the slots were made for
};

class TableBase {
 public:
  virtual ~TableBase() = default;
  TableBase(const TableBase&) = delete;
  TableBase& operator=(const TableBase&) = delete;

  virtual KeyType key_type() const = 0;
  virtual void Clear() = 0;
  virtual int64_t Evict(const EvictionOptions& eviction) = 0;

  int dim() const { return options_.dim; }
  const TableOptions& options() const { return options_; }
  int64_t size() const;
  int64_t step() const { return step_.load(); }
  // Up to where another table's changes were taken over.
  Cursor follows() const;
  std::string optimizer() const;
  SlotShape slots() const;

  // Updates every row of the gradients once. Rows with a NaN or infinite sum stay as they are.
  Status Commit(const CommitOptions& options, std::vector<RowGradients> gradients,
                Executor& executor, CommitResult* result);

  PendingGradients& pending() { return pending_; }

  struct Counts {
    int64_t rows;
    // In use: records up to the high water mark, index, string keys, filters, rows drawn for new keys.
    int64_t bytes;
    int64_t index_places, insertions, removals, refused_updates, stale_updates;
    int64_t discarded_passes, step;
    int64_t lookups, hits;  // positions outside training, and those whose key was there
    int64_t training_lookups, training_distinct, training_hits;  // see shard.h
    int64_t updates;                          // commits since the table was made
    int64_t update_distinct, last_distinct;   // keys with a gradient: of all commits, of the last
    int64_t evictions, unlogged_evictions, not_admitted, waiting, waiting_dropped;
  };
  Counts counts() const;
  // What admission counts with.
  int64_t filter_bytes() const;
  // row (dim) that unknown keys get.
  void DefaultRow(float* row) const;

 protected:
  // `key_prefix` is what a record has in front of its header.
  TableBase(const TableOptions& options, size_t key_prefix);

  // Gives every record room for this many slots, all at their initial values. Needs the table's
  // lock, exclusively. Numbers of records, and so handles, stay valid.
  void ChangeLayout(const RowOptimizer& optimizer, const std::string& name);
  // Writes embedding and slots of a record that was just allocated.
  void InitializeRow(uint64_t hash, char* record, RowWriter& writer) const;
  void InitializeSlots(char* record) const;
  // Adds a row to the sum of its shard's rows, or takes it away (sign -1), when that is kept. Needs
  // the shard's lock, exclusively.
  void AddToSum(Shard& shard, const char* record, double sign) const;
  // row (dim) of keys that have none. Needs the locks of all shards.
  void DefaultRowLocked(float* row) const;
  void ChangeLayout(SlotShape slots, std::vector<float> initial_values, const std::string& name);
  // Begins a new life for cursors, with all records replaced. Needs the table's lock, exclusively,
  // and room for the stamps of all records.
  void BeginLife(const Cursor& life, const Cursor& follows) noexcept;
  // The hash of a record's key.
  virtual uint64_t HashOfKey(const char* record) const = 0;
  // Evicts expired rows among the next few thousand records; the caller holds the table's lock.
  virtual void Sweep() = 0;
  // Evicts rows until the bounds hold again; the caller holds the table's lock. Returns how many.
  virtual int64_t Trim(const EvictionOptions& eviction) = 0;
  // What decides about new keys of a shard, or null.
  virtual const Filter* filter(int shard) const = 0;
  // The moment that rows are judged at.
  Moment Now() const { return {static_cast<uint32_t>(step_.load()), times_.now()}; }
  void NoteTime(uint32_t time) { times_.Note(time, static_cast<uint32_t>(step_.load())); }

  TableOptions options_;
  const RowLayout embedding_layout_;  // without slots: what readers need, and never changes
  RowLayout layout_;
  std::string optimizer_;                   // what the slots were made for; empty before training
  std::vector<float> initial_slot_values_;  // one a slot, vectors first
  std::vector<Hyperparameter> hyperparameters_;  // of the last commit
  mutable std::mutex hyperparameters_mutex_;
  mutable ScanGate gate_;
  mutable RwLock mutex_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
  PendingGradients pending_;
  std::atomic<int64_t> step_{0};
  LookupTimes times_;
  std::atomic<int64_t> refused_updates_{0};
  std::atomic<int64_t> stale_updates_{0};
  std::atomic<int64_t> updates_{0};
  std::atomic<int64_t> update_distinct_{0};
  std::atomic<int64_t> last_distinct_{0};
  // Guarded by the table's lock; changed by saves, which see the table as constant.
  mutable Cursor life_;         // of the changes that are followed; its epoch does not count
  mutable uint32_t epoch_ = 0;  // the current one; 0 when no changes are followed
  uint32_t slots_epoch_ = 0;    // in which the slots of all records were last made anew
  Cursor follows_;              // up to where another table's changes were taken over

  // What readers count, once a chunk of keys: on a cache line of its own, since all of them write
  // to it.
  struct alignas(64) ReadCounts {
    std::atomic<int64_t> lookups{0}, hits{0};
    void Add(int64_t more_lookups, int64_t more_hits) {
      lookups.fetch_add(more_lookups, std::memory_order_relaxed);
      hits.fetch_add(more_hits, std::memory_order_relaxed);
    }
  };
  mutable ReadCounts reads_;

 private:
  struct Totals {
    std::atomic<int64_t> updated{0}, refused{0}, stale{0};
  };
  void UpdateShard(Shard& shard, RowGradients& gradients, int64_t begin, int64_t end,
                   float clipvalue, const RowOptimizer& optimizer, float* scratch, Totals& totals);
  void UpdateRow(const RowOptimizer& optimizer, const float* gradient, char* record,
                 float* scratch) const;
};

}  // namespace recs

#endif  // RECS_TABLE_TABLE_BASE_H_
