// What kernels say where RECS_KERNELS cannot be followed.
#ifndef RECS_KERNELS_KERNEL_PATH_H_
#define RECS_KERNELS_KERNEL_PATH_H_

#include "kernels/table_kernel.h"
#include "table/kernel_path.h"

namespace recs {

inline absl::Status CheckKernelPath() {
  const std::string& wrong = KernelPathError();
  return wrong.empty() ? absl::OkStatus() : absl::InvalidArgumentError(wrong);
}

}  // namespace recs

#endif  // RECS_KERNELS_KERNEL_PATH_H_
