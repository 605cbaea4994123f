// Arithmetic on rows, compiled for several instruction sets and chosen when the library loads.
//
// Products are not fused with sums (-ffp-contract=off), so every machine gives the same bits.
#ifndef RECS_TABLE_ROW_KERNELS_H_
#define RECS_TABLE_ROW_KERNELS_H_

// GCC and Clang choose among clones through an indirect function, which sanitizers do not survive.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(RECS_NO_MULTIVERSIONING)
#define RECS_MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define RECS_MULTIVERSIONED
#endif

namespace recs {

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
