// The kernels of tile_kernels.h, written once for vectors of any length.
//
// Included by one file for each instruction set, within its target. Everything is in an unnamed
// namespace and nothing of the standard library is used: the linker keeps one copy of an inline
// function, and that must not be one which other processors cannot run.
#ifndef RECS_SCORES_TILE_KERNELS_OF_H_
#define RECS_SCORES_TILE_KERNELS_OF_H_

#include "scores/tile_kernels.h"

namespace recs::scores {
namespace {

// `V` is a vector: kLanes floats, of which kVectors are worked on at once for each row of a group.
template <class V>
struct TileKernelsOf {
  // `kStrip` vectors of the tile for a group of rows.
  template <int kStrip>
  static void ScoresOfStrip(const float* queries, int64_t width, int64_t dim, const float* packed,
                            const float* bias, float* scores) {
    V sums[kRowGroup][kStrip];
    for (int v = 0; v < kStrip; ++v) {
      const V start = bias == nullptr ? V::Zero() : V::Load(bias + v * V::kLanes);
      for (int r = 0; r < kRowGroup; ++r) sums[r][v] = start;
    }
    for (int64_t k = 0; k < dim; ++k) {
      V some[kStrip];
      for (int v = 0; v < kStrip; ++v) some[v] = V::Load(packed + k * kTile + v * V::kLanes);
      for (int r = 0; r < kRowGroup; ++r) {
        const V query = V::Broadcast(queries[r * width + k]);
        for (int v = 0; v < kStrip; ++v) sums[r][v] = V::MultiplyAdd(query, some[v], sums[r][v]);
      }
    }
    for (int r = 0; r < kRowGroup; ++r) {
      for (int v = 0; v < kStrip; ++v) sums[r][v].Store(scores + r * kTile + v * V::kLanes);
    }
  }

  static void Scores(const float* queries, int64_t rows, int64_t width, int64_t dim,
                     const float* packed, const float* bias, float* scores) {
    constexpr int64_t kStep = V::kVectors * V::kLanes;
    for (int64_t row = 0; row < rows; row += kRowGroup) {
      for (int64_t c = 0; c < kTile; c += kStep) {
        ScoresOfStrip<V::kVectors>(queries + row * width, width, dim, packed + c,
                                   bias == nullptr ? nullptr : bias + c, scores + row * kTile + c);
      }
    }
  }

  static void Largest(const float* scores, int64_t rows, float* largest) {
    for (int64_t r = 0; r < rows; ++r) {
      V most = V::Broadcast(largest[r]);
      for (int64_t c = 0; c < kTile; c += V::kLanes) {
        most = V::Max(most, V::Load(scores + r * kTile + c));
      }
      float each[V::kLanes];
      most.Store(each);
      for (float one : each) largest[r] = one > largest[r] ? one : largest[r];
    }
  }

  static void CountAtMost(const float* scores, int64_t rows, const float* limits,
                          int64_t limits_of_row, int64_t* counts) {
    for (int64_t i = 0; i < rows * limits_of_row; ++i) {
      const float* row = scores + i / limits_of_row * kTile;
      const V limit = V::Broadcast(limits[i]);
      int count = 0;
      for (int64_t c = 0; c < kTile; c += V::kLanes) count += V::CountAtMost(V::Load(row + c), limit);
      counts[i] += count;
    }
  }

  static void Exponentials(float* scores, int64_t rows, const float* shift, float* sums) {
    for (int64_t r = 0; r < rows; ++r) {
      const V by = V::Broadcast(shift[r]);
      V sum = V::Load(sums + r * kSums);
      for (int64_t c = 0; c < kTile; c += V::kLanes) {
        float* at = scores + r * kTile + c;
        const V power = V::Exp(V::Subtract(V::Load(at), by));
        power.Store(at);
        sum = V::Add(sum, power);
      }
      sum.Store(sums + r * kSums);
    }
  }

  template <int kStrip>
  static void ProductsOfStrip(const float* weights, const float* candidates, int64_t width,
                              float* products) {
    V sums[kRowGroup][kStrip];
    for (int r = 0; r < kRowGroup; ++r) {
      for (int v = 0; v < kStrip; ++v) sums[r][v] = V::Load(products + r * width + v * V::kLanes);
    }
    for (int64_t c = 0; c < kTile; ++c) {
      V some[kStrip];
      for (int v = 0; v < kStrip; ++v) some[v] = V::Load(candidates + c * width + v * V::kLanes);
      for (int r = 0; r < kRowGroup; ++r) {
        const V weight = V::Broadcast(weights[r * kTile + c]);
        for (int v = 0; v < kStrip; ++v) sums[r][v] = V::MultiplyAdd(weight, some[v], sums[r][v]);
      }
    }
    for (int r = 0; r < kRowGroup; ++r) {
      for (int v = 0; v < kStrip; ++v) sums[r][v].Store(products + r * width + v * V::kLanes);
    }
  }

  static void AddProducts(const float* weights, int64_t rows, const float* candidates,
                          int64_t width, float* products) {
    constexpr int64_t kStep = V::kVectors * V::kLanes;
    for (int64_t row = 0; row < rows; row += kRowGroup) {
      const float* some = weights + row * kTile;
      float* to = products + row * width;
      int64_t k = 0;
      for (; k + kStep <= width; k += kStep) {
        ProductsOfStrip<V::kVectors>(some, candidates + k, width, to + k);
      }
      for (; k < width; k += V::kLanes) ProductsOfStrip<1>(some, candidates + k, width, to + k);
    }
  }

  // Candidates whose sums are held at once.
  static constexpr int64_t kColumns = 4;

  template <int kStrip>
  static void TransposedOfStrip(const float* weights, int64_t rows, const float* queries,
                                int64_t width, float* products) {
    V sums[kColumns][kStrip];
    for (int c = 0; c < kColumns; ++c) {
      for (int v = 0; v < kStrip; ++v) sums[c][v] = V::Load(products + c * width + v * V::kLanes);
    }
    for (int64_t r = 0; r < rows; ++r) {
      V some[kStrip];
      for (int v = 0; v < kStrip; ++v) some[v] = V::Load(queries + r * width + v * V::kLanes);
      for (int c = 0; c < kColumns; ++c) {
        const V weight = V::Broadcast(weights[r * kTile + c]);
        for (int v = 0; v < kStrip; ++v) sums[c][v] = V::MultiplyAdd(weight, some[v], sums[c][v]);
      }
    }
    for (int c = 0; c < kColumns; ++c) {
      for (int v = 0; v < kStrip; ++v) sums[c][v].Store(products + c * width + v * V::kLanes);
    }
  }

  static void AddTransposed(const float* weights, int64_t rows, const float* queries,
                            int64_t width, float* products) {
    constexpr int64_t kStep = V::kVectors * V::kLanes;
    for (int64_t c = 0; c < kTile; c += kColumns) {
      float* to = products + c * width;
      int64_t k = 0;
      for (; k + kStep <= width; k += kStep) {
        TransposedOfStrip<V::kVectors>(weights + c, rows, queries + k, width, to + k);
      }
      for (; k < width; k += V::kLanes) {
        TransposedOfStrip<1>(weights + c, rows, queries + k, width, to + k);
      }
    }
  }

  static void AddColumnSums(const float* weights, int64_t rows, const float* factors, float* sums) {
    for (int64_t c = 0; c < kTile; c += V::kLanes) {
      V sum = V::Load(sums + c);
      for (int64_t r = 0; r < rows; ++r) {
        sum = V::MultiplyAdd(V::Broadcast(factors[r]), V::Load(weights + r * kTile + c), sum);
      }
      sum.Store(sums + c);
    }
  }

  static constexpr TileKernels Named(const char* name) {
    return {name,          &Scores,      &Largest,       &CountAtMost,
            &Exponentials, &AddProducts, &AddTransposed, &AddColumnSums};
  }
};

}  // namespace
}  // namespace recs::scores

#endif  // RECS_SCORES_TILE_KERNELS_OF_H_
