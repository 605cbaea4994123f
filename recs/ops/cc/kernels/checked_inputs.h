// Inputs of kernels, whose shape is checked before an element is read. In eager mode TensorFlow runs
// no shape function, so kernels check for themselves.
#ifndef RECS_KERNELS_CHECKED_INPUTS_H_
#define RECS_KERNELS_CHECKED_INPUTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"

#define RECS_RETURN_IF_ERROR(expression)                                    \
  do {                                                                      \
    if (absl::Status recs_status = (expression); !recs_status.ok()) return recs_status; \
  } while (false)

namespace recs {

inline absl::Status WrongShape(std::string_view what, std::string_view rule,
                               const tensorflow::Tensor& tensor, std::string_view where) {
  return absl::InvalidArgumentError(absl::StrCat("`", what, "` must ", rule, ". Received: shape ",
                                                 tensor.shape().DebugString(), " (in ", where,
                                                 ")."));
}

// An error unless the tensor has one axis.
inline absl::Status CheckVector(std::string_view what, const tensorflow::Tensor& tensor,
                                std::string_view where) {
  if (tensor.dims() == 1) return absl::OkStatus();
  return WrongShape(what, "have one axis", tensor, where);
}

// An error unless the tensor has this shape.
inline absl::Status CheckShape(std::string_view what, const tensorflow::Tensor& tensor,
                               const tensorflow::TensorShape& shape, std::string_view where) {
  if (tensor.shape() == shape) return absl::OkStatus();
  return WrongShape(what, absl::StrCat("have shape ", shape.DebugString()), tensor, where);
}

// The value of a tensor without axes; of strings a std::string.
template <class T>
absl::Status ReadScalar(std::string_view what, const tensorflow::Tensor& tensor,
                        std::string_view where, T* value) {
  if (tensor.dims() != 0) return WrongShape(what, "be a scalar", tensor, where);
  if constexpr (std::is_same_v<T, std::string>) {
    *value = std::string(tensor.scalar<tensorflow::tstring>()());
  } else {
    *value = tensor.scalar<T>()();
  }
  return absl::OkStatus();
}

// The same of an input by its name.
template <class T>
absl::Status ReadScalar(tensorflow::OpKernelContext* context, const char* input, T* value) {
  const tensorflow::Tensor* tensor = nullptr;
  RECS_RETURN_IF_ERROR(context->input(input, &tensor));
  return ReadScalar(input, *tensor, context->op_kernel().type_string(), value);
}

// What a scalar handle stands for: an error when that is something else, or gone.
template <class Resource>
absl::Status ReadResource(tensorflow::OpKernelContext* context, std::string_view what,
                          const tensorflow::Tensor& tensor,
                          tensorflow::core::RefCountPtr<Resource>* resource) {
  const std::string where(context->op_kernel().type_string());
  if (tensor.dims() != 0) return WrongShape(what, "be a scalar", tensor, where);
  const auto& handle = tensor.scalar<tensorflow::ResourceHandle>()();
  const absl::Status found = tensorflow::LookupResource(context, handle, resource);
  if (found.ok()) return found;
  return absl::InvalidArgumentError(
      absl::StrCat("`", what, "` must be the handle of a living resource of recs. Received: ",
                   handle.maybe_type_name(), " (in ", where, "): ", found.message()));
}

}  // namespace recs

#endif  // RECS_KERNELS_CHECKED_INPUTS_H_
