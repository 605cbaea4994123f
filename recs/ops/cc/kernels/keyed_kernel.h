// What kernels share whose table has keys of one type, which is the op's attribute `K`.
#ifndef RECS_KERNELS_KEYED_KERNEL_H_
#define RECS_KERNELS_KEYED_KERNEL_H_

#include <optional>
#include <vector>

#include "kernels/table_kernel.h"

// Registers a kernel template for both types of keys.
#define RECS_REGISTER_KEYED(op, kernel)                                      \
  REGISTER_KERNEL_BUILDER(                                                   \
      Name(op).Device(tensorflow::DEVICE_CPU).TypeConstraint<int64_t>("K"),  \
      kernel<int64_t>);                                                      \
  REGISTER_KERNEL_BUILDER(Name(op)                                           \
                              .Device(tensorflow::DEVICE_CPU)                \
                              .TypeConstraint<tensorflow::tstring>("K"),     \
                          kernel<std::string_view>)

namespace recs {

template <class K>
class KeyedKernel : public TableKernel {
 public:
  using TableKernel::TableKernel;

 protected:
  virtual absl::Status RunKeyed(tensorflow::OpKernelContext* context, Table<K>& table) = 0;

 private:
  absl::Status Run(tensorflow::OpKernelContext* context, TableBase& base) final {
    Table<K>* table = nullptr;
    RECS_RETURN_IF_ERROR(TypedTable(base, &table));
    return RunKeyed(context, *table);
  }
};

// The input `keys` (n).
template <class K>
absl::Status ReadKeys(tensorflow::OpKernelContext* context, std::optional<KeyTensor<K>>* keys) {
  const tensorflow::Tensor* tensor = nullptr;
  RECS_RETURN_IF_ERROR(context->input("keys", &tensor));
  const std::string& where = context->op_kernel().type_string();
  RECS_RETURN_IF_ERROR(CheckVector("keys", *tensor, where));
  RECS_RETURN_IF_ERROR(CheckPositions(tensor->NumElements()));
  keys->emplace(*tensor);
  return absl::OkStatus();
}

// Keys as an output (n).
template <class K>
absl::Status OutputKeys(tensorflow::OpKernelContext* context, int output,
                        const std::vector<typename Table<K>::KeyOut>& keys) {
  const auto n = static_cast<int64_t>(keys.size());
  tensorflow::Tensor* tensor = nullptr;
  RECS_RETURN_IF_ERROR(context->allocate_output(output, tensorflow::TensorShape({n}), &tensor));
  auto flat = tensor->flat<typename KeyTensor<K>::Element>();
  for (int64_t i = 0; i < n; ++i) flat(i) = keys[i];
  return absl::OkStatus();
}

}  // namespace recs

#endif  // RECS_KERNELS_KEYED_KERNEL_H_
