// Products of a tile of candidates with rows of queries, and what is made of them.
//
// A tile is 64 candidates. What is known of a block of rows and a tile fits a core's first caches,
// so that arithmetic, not memory, is what takes the time.
#ifndef RECS_SCORES_TILE_KERNELS_H_
#define RECS_SCORES_TILE_KERNELS_H_

#include <cstdint>

namespace recs::scores {

constexpr int64_t kTile = 64;
// Rows are worked on in groups of that many: with four vectors of a tile for each, the sums fill
// the registers of AVX-512.
constexpr int64_t kRowGroup = 6;
// The dimension of padded matrices is a multiple of that.
constexpr int64_t kDimGroup = 16;
// Sums over columns are in that many parts, to be added up at the end.
constexpr int64_t kSums = 16;

// For one instruction set. `rows` is a multiple of kRowGroup, `width` one of kDimGroup.
struct TileKernels {
  const char* name;

  // scores[r][c] = sum_k queries[r][k] * packed[k][c] + bias[c]; `bias` may be null.
  void (*scores)(const float* queries, int64_t rows, int64_t width, int64_t dim,
                 const float* packed, const float* bias, float* scores);
  // largest[r] = max(largest[r], max_c scores[r][c])
  void (*largest)(const float* scores, int64_t rows, float* largest);
  // counts[r * limits_of_row + i] += the number of c with scores[r][c] <= limits of the same place.
  void (*count_at_most)(const float* scores, int64_t rows, const float* limits,
                        int64_t limits_of_row, int64_t* counts);
  // scores[r][c] = exp(scores[r][c] - shift[r]), and sums[r][...] += these, in parts.
  void (*exponentials)(float* scores, int64_t rows, const float* shift, float* sums);
  // products[r][k] += sum_c weights[r][c] * candidates[c][k]
  void (*add_products)(const float* weights, int64_t rows, const float* candidates, int64_t width,
                       float* products);
  // products[c][k] += sum_r weights[r][c] * queries[r][k]
  void (*add_transposed)(const float* weights, int64_t rows, const float* queries, int64_t width,
                         float* products);
  // sums[c] += sum_r weights[r][c] * factors[r]
  void (*add_column_sums)(const float* weights, int64_t rows, const float* factors, float* sums);
};

// Null where the compiler or its target does not have the instructions.
const TileKernels* Avx512Kernels();
const TileKernels* Avx2Kernels();
const TileKernels* PortableKernels();

// Those of the active path; see table/kernel_path.h.
const TileKernels& ActiveKernels();

}  // namespace recs::scores

#endif  // RECS_SCORES_TILE_KERNELS_H_
