#include "table/table_base.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "table/hash.h"
#include "table/row_kernels.h"

namespace recs {
namespace {

// Multiplies by the scale that an unmerged entry still carries.
void ApplyScale(RowGradients& gradients, int dim, Executor& executor) {
  if (gradients.scale == 1.0f) return;
  const int64_t m = static_cast<int64_t>(gradients.rows.size());
  executor.ParallelFor(m, dim, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ScaleRow(gradients.scale, gradients.sums.data() + i * dim, dim);
    }
  });
  gradients.scale = 1.0f;
}

// Keras's clipnorm of one weight, the table: g * clipnorm / max(norm, clipnorm). Rows that will be
// refused, and keys without a row, do not count. Squares are added in double, in the order of rows.
void ClipNorm(RowGradients& gradients, int dim, float clipnorm) {
  const size_t m = gradients.rows.size();
  double squares = 0.0;
  for (size_t i = 0; i < m; ++i) {
    const float* row = gradients.sums.data() + i * dim;
    if (RowHandle::IsNone(gradients.rows[i])) continue;
    if (AllFinite(row, dim)) squares += Dot(row, row, dim);
  }
  const double norm = std::sqrt(squares);
  if (norm <= clipnorm) return;
  gradients.scale *= static_cast<float>(clipnorm / norm);
}

SlotShape ShapeOf(const RowOptimizer& optimizer) {
  return {optimizer.slots(), optimizer.scalars()};
}

}  // namespace

TableBase::TableBase(const TableOptions& options, size_t key_prefix)
    : options_(options),
      embedding_layout_(options.dim, options.storage, {}, key_prefix),
      layout_(embedding_layout_) {
  // Each table's generations begin elsewhere, so that handles of another one are stale here.
  static std::atomic<uint64_t> tables{0};
  const auto first = static_cast<uint32_t>(Mix(++tables) % Shard::kFreed);
  const auto pool = std::make_shared<SlabPool>();
  for (int s = 0; s < kShards; ++s) {
    shards_[s] = std::make_unique<Shard>(s, layout_, pool);
    shards_[s]->generations = first;
    if (options.mean_default) shards_[s]->row_sum.assign(options.dim, 0.0);
  }
}

int64_t TableBase::size() const {
  int64_t rows = 0;
  for (const auto& shard : shards_) {
    std::shared_lock<RwLock> lock(shard->mutex);
    rows += shard->index.size();
  }
  return rows;
}

std::string TableBase::optimizer() const {
  std::shared_lock<RwLock> lock(mutex_);
  return optimizer_;
}

Cursor TableBase::follows() const {
  std::shared_lock<RwLock> lock(mutex_);
  return follows_;
}

SlotShape TableBase::slots() const {
  std::shared_lock<RwLock> lock(mutex_);
  return layout_.slots();
}

TableBase::Counts TableBase::counts() const {
  Counts counts{};
  {
    std::shared_lock<RwLock> lock(mutex_);  // a restore brings rows of its own
    const auto& drawn = options_.initializer.block;
    if (drawn != nullptr) counts.bytes += static_cast<int64_t>(drawn->size() * sizeof(float));
  }
  for (int s = 0; s < kShards; ++s) {
    const auto& shard = shards_[s];
    std::shared_lock<RwLock> lock(shard->mutex);
    counts.rows += shard->index.size();
    counts.index_places += static_cast<int64_t>(shard->index.places());
    counts.bytes += static_cast<int64_t>(shard->index.bytes() + shard->arena.used_bytes() +
                                         shard->key_bytes +
                                         shard->stamps.capacity() * sizeof(uint32_t));
    counts.insertions += shard->insertions;
    counts.removals += shard->removals;
    counts.training_lookups += shard->training_lookups;
    counts.training_distinct += shard->training_distinct;
    counts.training_hits += shard->training_hits;
    counts.evictions += shard->evictions;
    counts.unlogged_evictions += shard->unlogged_evictions;
    counts.not_admitted += shard->not_admitted;
    if (const Filter* waits = filter(s); waits != nullptr) {
      counts.waiting += waits->waiting();
      counts.waiting_dropped += waits->dropped();
      counts.bytes += static_cast<int64_t>(waits->bytes());
    }
  }
  counts.refused_updates = refused_updates_;
  counts.stale_updates = stale_updates_;
  counts.discarded_passes = pending_.discarded_passes();
  counts.step = step_;
  counts.lookups = reads_.lookups;
  counts.hits = reads_.hits;
  counts.updates = updates_;
  counts.update_distinct = update_distinct_;
  counts.last_distinct = last_distinct_;
  return counts;
}

int64_t TableBase::filter_bytes() const {
  int64_t bytes = 0;
  for (int s = 0; s < kShards; ++s) {
    std::shared_lock<RwLock> lock(shards_[s]->mutex);
    if (const Filter* counts = filter(s); counts != nullptr) {
      bytes += static_cast<int64_t>(counts->bytes());
    }
  }
  return bytes;
}

void TableBase::AddToSum(Shard& shard, const char* record, double sign) const {
  if (shard.row_sum.empty()) return;
  thread_local std::vector<float> scratch;
  scratch.resize(options_.dim);
  const float* row = embedding_layout_.View(record, scratch.data());
  for (int j = 0; j < options_.dim; ++j) shard.row_sum[j] += sign * row[j];
}

void TableBase::DefaultRowLocked(float* row) const {
  std::fill(row, row + options_.dim, options_.default_value);
  if (!options_.mean_default) return;
  int64_t rows = 0;
  for (const auto& shard : shards_) rows += shard->index.size();
  if (rows == 0) return;
  for (int j = 0; j < options_.dim; ++j) {
    double sum = 0.0;
    for (const auto& shard : shards_) sum += shard->row_sum[j];
    row[j] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

void TableBase::DefaultRow(float* row) const {
  for (const auto& shard : shards_) shard->mutex.lock_shared();
  DefaultRowLocked(row);
  for (const auto& shard : shards_) shard->mutex.unlock_shared();
}

void TableBase::InitializeSlots(char* record) const {
  float* slot = layout_.slots(record);
  for (size_t s = 0; s < initial_slot_values_.size(); ++s) {
    const int width = static_cast<int>(s) < layout_.slots().vectors ? layout_.dim() : 1;
    slot = std::fill_n(slot, width, initial_slot_values_[s]);
  }
}

void TableBase::InitializeRow(uint64_t hash, char* record, RowWriter& writer) const {
  writer.Write(record, [&](float* row) { options_.initializer.Fill(hash, row, layout_.dim()); });
  InitializeSlots(record);
}

void TableBase::ChangeLayout(const RowOptimizer& optimizer, const std::string& name) {
  std::vector<float> values;
  for (int s = 0; s < optimizer.slots(); ++s) values.push_back(optimizer.initial_slot_value(s));
  for (int s = 0; s < optimizer.scalars(); ++s) values.push_back(optimizer.initial_scalar_value(s));
  ChangeLayout(ShapeOf(optimizer), std::move(values), name);
}

void TableBase::ChangeLayout(SlotShape slots, std::vector<float> values, const std::string& name) {
  const size_t prefix = layout_.key_prefix();
  const RowLayout layout(layout_.dim(), layout_.storage(), slots, prefix);
  // Everything that may fail comes first, so that running out of memory changes nothing.
  std::vector<RowArena> arenas;
  arenas.reserve(kShards);
  const auto pool = std::make_shared<SlabPool>();
  const bool same_records = layout.stride() == layout_.stride();
  for (const auto& shard : shards_) {
    arenas.emplace_back(layout.stride(), prefix, pool);
    if (same_records) continue;
    for (uint32_t n = 0; n < shard->arena.high_water(); ++n) {
      char* record = arenas.back().at(arenas.back().Allocate());
      const char* old = shard->arena.at(n);
      std::copy(old - prefix, old + layout.read_bytes(), record - prefix);
    }
    arenas.back().CopyFreeList(shard->arena);
  }
  layout_ = layout;
  initial_slot_values_ = std::move(values);
  optimizer_ = name;
  slots_epoch_ = epoch_;
  for (int s = 0; s < kShards; ++s) {
    std::unique_lock<RwLock> lock(shards_[s]->mutex);
    if (!same_records) shards_[s]->arena = std::move(arenas[s]);
    RowArena& arena = shards_[s]->arena;
    for (uint32_t n = 0; n < arena.high_water(); ++n) InitializeSlots(arena.at(n));
  }
}

void TableBase::BeginLife(const Cursor& life, const Cursor& follows) noexcept {
  follows_ = follows;
  if (epoch_ == 0) return;
  life_ = life;
  epoch_ = 1;
  slots_epoch_ = 0;
  for (const auto& shard : shards_) shard->stamps.assign(shard->arena.high_water(), 0);
}

void TableBase::UpdateRow(const RowOptimizer& optimizer, const float* gradient, char* record,
                          float* scratch) const {
  const int dim = layout_.dim();
  if (layout_.storage() == Storage::kFloat32) {
    auto* embedding = reinterpret_cast<float*>(RowLayout::embedding(record));
    optimizer.Update(gradient, embedding, layout_.slots(record), dim);
    return;
  }
  layout_.Read(record, scratch);
  optimizer.Update(gradient, scratch, layout_.slots(record), dim);
  // By key and step, so that neither threads nor a restart change what is drawn.
  const uint64_t hash = HashOfKey(record);
  const uint64_t stream = Mix(hash ^ Mix(static_cast<uint64_t>(step_.load()) + 0x51ed270b7a0fULL));
  EncodeStochastic(layout_.storage(), scratch, stream, RowLayout::embedding(record), dim);
}

void TableBase::UpdateShard(Shard& shard, RowGradients& gradients, int64_t begin, int64_t end,
                            float clipvalue, const RowOptimizer& optimizer, float* scratch,
                            Totals& totals) {
  constexpr int64_t kAhead = 8;
  const int dim = layout_.dim();
  const size_t bytes = layout_.stride();
  int64_t updated = 0, refused = 0, stale = 0;
  std::unique_lock<RwLock> lock(shard.mutex);
  for (int64_t i = begin; i < end; ++i) {
    if (i + kAhead < end) {
      const uint32_t number = RowHandle::number(gradients.rows[i + kAhead]);
      if (number < shard.arena.high_water()) PrefetchBytes(shard.arena.at(number), bytes);
    }
    float* gradient = gradients.sums.data() + i * dim;
    char* record = shard.Resolve(gradients.rows[i]);
    if (record == nullptr) {
      stale += RowHandle::IsNone(gradients.rows[i]) ? 0 : 1;
      continue;
    }
    if (gradients.scale != 1.0f) ScaleRow(gradients.scale, gradient, dim);
    if (!AllFinite(gradient, dim)) {
      ++refused;
      continue;
    }
    if (clipvalue > 0.0f) ClipRow(clipvalue, gradient, dim);
    shard.BeforeChange(RowHandle::number(gradients.rows[i]));
    AddToSum(shard, record, -1.0);
    UpdateRow(optimizer, gradient, record, scratch);
    AddToSum(shard, record, 1.0);
    ++updated;
  }
  totals.updated += updated;
  totals.refused += refused;
  totals.stale += stale;
}

Status TableBase::Commit(const CommitOptions& options, std::vector<RowGradients> gradients,
                         Executor& executor, CommitResult* result) {
  const std::string where = " (in the commit of table '" + options_.name + "')";
  if (Status good = CheckHyperparameters(options, where); !good.ok()) return good;
  std::unique_ptr<RowOptimizer> optimizer;
  if (Status made = MakeRowOptimizer(options.optimizer, &optimizer); !made.ok()) return made;
  gate_.WaitForRoom();
  std::shared_lock<RwLock> lock(mutex_);
  const auto differs = [&] {
    return optimizer_ != options.optimizer.name || !(layout_.slots() == ShapeOf(*optimizer));
  };
  while (differs()) {
    lock.unlock();
    {
      std::unique_lock<ScanGate> no_save(gate_);
      std::unique_lock<RwLock> exclusive(mutex_);
      if (differs()) {
        result->slots_reset = !optimizer_.empty();
        ChangeLayout(*optimizer, options.optimizer.name);
        if (options_.eviction.max_bytes > 0) Trim(options_.eviction);  // rows are larger now
      }
    }
    lock.lock();
  }
  {
    std::vector<Hyperparameter> told = HyperparametersOf(options);
    std::lock_guard<std::mutex> hold(hyperparameters_mutex_);
    hyperparameters_.swap(told);
  }
  const int dim = layout_.dim();
  if (gradients.size() > 1) {
    RowGradients merged = Merge(gradients, dim, executor);
    pending_.Recycle(std::move(gradients));
    gradients.clear();
    gradients.push_back(std::move(merged));
  }
  if (!gradients.empty()) {
    RowGradients& all = gradients.front();
    if (options.clipnorm > 0.0f) {
      ApplyScale(all, dim, executor);
      ClipNorm(all, dim, options.clipnorm);
    }
    std::array<int64_t, kShards + 1> begin{};
    for (int64_t handle : all.rows) ++begin[RowHandle::shard(handle) % kShards + 1];
    for (int s = 0; s < kShards; ++s) begin[s + 1] += begin[s];
    Totals totals;
    // Before the first row changes, so that running out of memory leaves them all.
    const bool decodes = layout_.storage() != Storage::kFloat32;
    std::vector<float> scratch(decodes ? size_t{kShards} * dim : 0);
    const int64_t m = static_cast<int64_t>(all.rows.size());
    const int64_t cost = (m / kShards + 1) * (200 + layout_.stride() / 4);
    executor.ParallelFor(kShards, cost, [&](int64_t first, int64_t last) {
      for (int64_t s = first; s < last; ++s) {
        if (begin[s] == begin[s + 1]) continue;
        UpdateShard(*shards_[s], all, begin[s], begin[s + 1], options.clipvalue, *optimizer,
                    scratch.data() + (decodes ? s * dim : 0), totals);
      }
    });
    result->updated = totals.updated;
    result->refused = totals.refused;
    result->stale = totals.stale;
    refused_updates_ += totals.refused;
    stale_updates_ += totals.stale;
    pending_.Recycle(std::move(gradients));
  }
  // Keys without a row are none of these.
  const int64_t distinct = result->updated + result->refused + result->stale;
  ++updates_;
  update_distinct_ += distinct;
  last_distinct_ = distinct;
  if (step_ < kMostSteps) ++step_;  // a file may have said the largest
  if (options_.eviction.expires()) Sweep();
  return {};
}

}  // namespace recs
