// What every kernel shares: the resource that holds a table, and the way from the engine to
// TensorFlow (threads, statuses, tensors). The engine itself knows no TensorFlow.
#ifndef RECS_KERNELS_TABLE_KERNEL_H_
#define RECS_KERNELS_TABLE_KERNEL_H_

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kernels/checked_inputs.h"
#include "table/combine.h"
#include "table/status.h"
#include "table/table.h"
#include "table/team_executor.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace recs {

class TableResource final : public tensorflow::ResourceBase {
 public:
  explicit TableResource(std::unique_ptr<TableBase> table) : table_(std::move(table)) {}

  TableBase& table() { return *table_; }
  std::string DebugString() const override { return "recs table " + table_->options().name; }
  int64_t MemoryUsed() const override { return table_->counts().bytes; }

 private:
  std::unique_ptr<TableBase> table_;
};

// The threads of the kernel's device, for the engine's work.
inline TeamExecutor DeviceThreads(tensorflow::OpKernelContext* context) {
  const auto* workers = context->device()->tensorflow_cpu_worker_threads();
  return TeamExecutor(workers->num_threads, [pool = workers->workers](std::function<void()> work) {
    pool->Schedule(std::move(work));
  });
}

inline absl::Status ToAbsl(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return absl::OkStatus();
    case StatusCode::kInvalidArgument:
      return absl::InvalidArgumentError(status.message());
    case StatusCode::kFailedPrecondition:
      return absl::FailedPreconditionError(status.message());
    case StatusCode::kDataLoss:
      return absl::DataLossError(status.message());
    case StatusCode::kIoError:
      return absl::UnavailableError(status.message());
  }
  return absl::UnknownError(status.message());
}

// An error where a table holds rings of records, whose bytes are no embeddings.
absl::Status CheckHoldsEmbeddings(const TableBase& table);
absl::Status CheckHoldEmbeddings(const std::vector<TableBase*>& tables);

// The engine numbers positions in 32 bits.
absl::Status CheckPositions(int64_t n);

absl::Status OutOfMemory(std::string_view kernel);

// A kernel whose first input is a table. No exception leaves it.
class TableKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) final {
    try {
      context->SetStatus(Checked(context));
    } catch (const std::bad_alloc&) {
      context->SetStatus(OutOfMemory(name()));
    }
  }

 protected:
  virtual absl::Status Run(tensorflow::OpKernelContext* context, TableBase& table) = 0;

 private:
  absl::Status Checked(tensorflow::OpKernelContext* context) {
    tensorflow::core::RefCountPtr<TableResource> resource;
    RECS_RETURN_IF_ERROR(ReadResource(context, "table", context->input(0), &resource));
    return Run(context, resource->table());
  }
};

// A kernel whose first inputs are `tables`, a list. No exception leaves it.
class TablesKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(tensorflow::OpKernelContext* context) final;

 protected:
  virtual absl::Status Run(tensorflow::OpKernelContext* context,
                           const std::vector<TableBase*>& tables) = 0;

 private:
  absl::Status Checked(tensorflow::OpKernelContext* context);
};

// The table as one with keys of this type, or an error that names both types.
template <class K>
absl::Status TypedTable(TableBase& table, Table<K>** typed) {
  *typed = dynamic_cast<Table<K>*>(&table);
  if (*typed != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "`keys` must have the table's `key_dtype`. Received: ",
      Keys<K>::kType == KeyType::kInt64 ? "int64" : "string", " keys (in table '",
      table.options().name, "')."));
}

// The elements of a tensor of keys; strings as views of its bytes.
template <class K>
class KeyTensor {
 public:
  using Element = std::conditional_t<std::is_same_v<K, int64_t>, int64_t,
                                     tensorflow::tstring>;

  explicit KeyTensor(const tensorflow::Tensor& tensor) : size_(tensor.NumElements()) {
    if constexpr (std::is_same_v<K, int64_t>) {
      data_ = tensor.flat<int64_t>().data();
    } else {
      const auto flat = tensor.flat<tensorflow::tstring>();
      views_.reserve(size_);
      for (int64_t i = 0; i < size_; ++i) views_.emplace_back(flat(i).data(), flat(i).size());
      data_ = views_.data();
    }
  }
  const K* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  int64_t size_;
  const K* data_;
  std::vector<std::string_view> views_;
};

inline Combiner ParseCombiner(const std::string& name) {
  if (name == "sum") return Combiner::kSum;
  if (name == "mean") return Combiner::kMean;
  if (name == "sqrtn") return Combiner::kSqrtn;
  return Combiner::kNone;
}

// Checks and describes the batch of a look-up: n positions, splits (segments + 1; not looked at
// without a combiner) and weights (n, or empty).
absl::Status DescribeBatch(Combiner combiner, int64_t n, const tensorflow::Tensor& splits,
                           const tensorflow::Tensor& weights, Segments* batch);

// The mask of a batch (n, or empty for none).
absl::Status MaskOf(const tensorflow::Tensor& tensor, int64_t n, const bool** mask);

}  // namespace recs

#endif  // RECS_KERNELS_TABLE_KERNEL_H_
