// A table's state as a vector of strings, one a block.
#ifndef RECS_KERNELS_TENSOR_BLOCKS_H_
#define RECS_KERNELS_TENSOR_BLOCKS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/table_kernel.h"
#include "table/snapshot.h"

namespace recs {

// Keeps a state's blocks in memory.
class TensorSink final : public BlockSink {
 public:
  Status Append(std::string block) override {
    blocks_.emplace_back(block.data(), block.size());
    return {};
  }
  // Makes the blocks an output of a kernel.
  absl::Status Output(tensorflow::OpKernelContext* context, int index) {
    tensorflow::Tensor* output = nullptr;
    const tensorflow::TensorShape shape({static_cast<int64_t>(blocks_.size())});
    RECS_RETURN_IF_ERROR(context->allocate_output(index, shape, &output));
    auto flat = output->flat<tensorflow::tstring>();
    for (size_t i = 0; i < blocks_.size(); ++i) flat(i) = std::move(blocks_[i]);
    return absl::OkStatus();
  }

 private:
  std::vector<tensorflow::tstring> blocks_;
};

// Reads a state's blocks from a vector of strings.
class TensorSource final : public BlockSource {
 public:
  explicit TensorSource(const tensorflow::Tensor& blocks) : blocks_(blocks) {}
  Status Next(std::string* /*storage*/, std::string_view* block, bool* end) override {
    *end = next_ == blocks_.NumElements();
    if (*end) return {};
    const tensorflow::tstring& bytes = blocks_.flat<tensorflow::tstring>()(next_++);
    *block = std::string_view(bytes.data(), bytes.size());
    return {};
  }
  std::string name() const override { return "saved weights"; }

 private:
  const tensorflow::Tensor& blocks_;
  int64_t next_ = 0;
};

}  // namespace recs

#endif  // RECS_KERNELS_TENSOR_BLOCKS_H_
