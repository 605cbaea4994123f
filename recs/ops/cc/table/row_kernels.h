// Arithmetic on rows, compiled for several instruction sets; kernel_path.h says which one is used.
//
// Products are not fused with sums (-ffp-contract=off), so every machine gives the same bits.
#ifndef RECS_TABLE_ROW_KERNELS_H_
#define RECS_TABLE_ROW_KERNELS_H_

#include "table/kernel_path.h"

// The body of a kernel: inlined into a function for each instruction set.
#define RECS_KERNEL_BODY inline __attribute__((always_inline))

#if defined(__x86_64__)
#define RECS_TARGET_AVX2 __attribute__((target("avx2,fma,popcnt")))
#define RECS_TARGET_AVX512 \
  __attribute__((target(   \
      "avx2,fma,popcnt,bmi,bmi2,lzcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))
#else
#define RECS_TARGET_AVX2
#define RECS_TARGET_AVX512
#endif

namespace recs {

// A function object that runs `kBody`, a RECS_KERNEL_BODY, with the instructions of the active path.
template <auto kBody>
struct Kernel;

template <class R, class... Args, R (*kBody)(Args...)>
struct Kernel<kBody> {
  static R Run(Args... args) {
    switch (ActivePath()) {
      case KernelPath::kAvx512:
        return Avx512(args...);
      case KernelPath::kAvx2:
        return Avx2(args...);
      case KernelPath::kPortable:
        break;
    }
    return Portable(args...);
  }
  R operator()(Args... args) const { return Run(args...); }

 private:
  // Not inlined into `Run`, whose instructions are the processor's least.
  RECS_TARGET_AVX512 __attribute__((noinline)) static R Avx512(Args... args) {
    return kBody(args...);
  }
  RECS_TARGET_AVX2 __attribute__((noinline)) static R Avx2(Args... args) { return kBody(args...); }
  __attribute__((noinline)) static R Portable(Args... args) { return kBody(args...); }
};

// sum += row
void AddRow(const float* row, float* sum, int dim);
// sum += factor * row
void AddScaledRow(const float* row, float factor, float* sum, int dim);
// row *= factor
void ScaleRow(float factor, float* row, int dim);
// row = min(max(row, -limit), limit)
void ClipRow(float limit, float* row, int dim);
// Whether no element is NaN or infinite.
bool AllFinite(const float* row, int dim);
// In double precision and in a fixed order, so that it is the same on every machine.
double Dot(const float* x, const float* y, int dim);

}  // namespace recs

#endif  // RECS_TABLE_ROW_KERNELS_H_
