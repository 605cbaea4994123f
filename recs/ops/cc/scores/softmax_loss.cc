#include "scores/softmax_loss.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "scores/excluded_columns.h"
#include "scores/packing.h"

namespace recs::scores {
namespace {

// Scores within these bounds need no shift: their exponentials, the sums of these over a billion
// candidates and the products with embeddings all fit float32.
constexpr double kModerate = 40;
// e^kModerate: where sums stay within this and one over it, so did all that counts of scores.
constexpr double kLargestSum = 2.3e17;
constexpr float kLeftOut = -std::numeric_limits<float>::max();

// Exponentials of one worker, 4 MB. More rows at once read the candidates less often; with fewer, or
// with more than that many rows, the whole took a tenth longer.
constexpr int64_t kFloatsAtOnce = int64_t{1} << 20;
constexpr int64_t kMostRows = 16 * kRowGroup;

// Some rows of the problem and all that is computed of them.
class Block {
 public:
  Block(int64_t rows, int64_t width, int64_t tiles, bool keep)
      : size_(rows),
        width_(width),
        keep_(keep),
        queries_(rows * width),
        products_(rows * width),
        powers_(rows * kTile * (keep ? tiles : 1)),
        shift_(rows),
        sums_(rows * kSums),
        factors_(rows),
        excluded_(rows) {}

  void Begin(const Problem& problem, int64_t first) {
    first_ = first;
    count_ = std::min(size_, problem.rows - first);
    std::fill(queries_.begin(), queries_.end(), 0.0f);
    ClearSums();
    std::fill(shift_.begin(), shift_.end(), 0.0f);
    std::fill(factors_.begin(), factors_.end(), 0.0f);
    for (int64_t r = 0; r < count_; ++r) {
      const float* from = problem.queries + (first + r) * problem.dim;
      std::copy(from, from + problem.dim, &queries_[r * width_]);
    }
  }

  void ClearSums() {
    std::fill(products_.begin(), products_.end(), 0.0f);
    std::fill(sums_.begin(), sums_.end(), 0.0f);
  }

  int64_t first() const { return first_; }
  int64_t count() const { return count_; }
  // Of the rows that are worked on; those past `count` are zeros, and without effect.
  int64_t rows() const { return RoundUp(count_, kRowGroup); }
  float* queries() { return queries_.data(); }
  float* products() { return products_.data(); }
  float* powers(int64_t tile) { return powers_.data() + (keep_ ? tile * size_ * kTile : 0); }
  float* shift() { return shift_.data(); }
  float* sums() { return sums_.data(); }
  double sum(int64_t r) const {
    double total = 0;
    for (int64_t i = 0; i < kSums; ++i) total += sums_[r * kSums + i];
    return total;
  }
  float* factors() { return factors_.data(); }
  std::vector<ExcludedColumns::Range>& excluded() { return excluded_; }

 private:
  const int64_t size_, width_;
  const bool keep_;
  int64_t first_ = 0, count_ = 0;
  std::vector<float> queries_, products_, powers_, shift_, sums_, factors_;
  std::vector<ExcludedColumns::Range> excluded_;
};

class Solver {
 public:
  Solver(const Problem& problem, const TileKernels& kernels, Executor& executor,
         const Solution& solution)
      : problem_(problem),
        kernels_(kernels),
        executor_(executor),
        solution_(solution),
        gradient_(solution.with_gradient),
        width_(RoundUp(std::max<int64_t>(problem.dim, 1), kDimGroup)),
        tiles_(RoundUp(problem.columns, kTile) / kTile),
        excluded_(problem) {}

  void Run() {
    if (problem_.rows == 0) {
      if (gradient_) ClearCandidates();
      return;
    }
    PrepareCandidates();
    shifted_ = !Moderate();
    const int64_t most = kFloatsAtOnce / std::max<int64_t>(tiles_ * kTile, 1);
    const int64_t rows = std::clamp(most / kRowGroup * kRowGroup, kRowGroup, kMostRows);
    std::vector<Block> blocks;
    const int64_t workers = std::min<int64_t>(executor_.threads(), RoundUp(problem_.rows, rows) / rows);
    for (int64_t b = 0; b < workers; ++b) blocks.emplace_back(rows, width_, tiles_, gradient_);
    for (int64_t first = 0; first < problem_.rows; first += rows * workers) {
      const int64_t left = RoundUp(problem_.rows - first, rows) / rows;
      const int64_t count = std::min(workers, left);
      const int64_t row_cost = tiles_ * kTile * width_ / 8;
      executor_.ParallelFor(count, rows * row_cost, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) OfRows(first + b * rows, blocks[b]);
      });
      if (!gradient_) continue;
      const int64_t tile_cost = count * rows * kTile * width_ / 16;
      executor_.ParallelFor(tiles_, tile_cost, [&](int64_t begin, int64_t end) {
        for (int64_t b = 0; b < count; ++b) OfCandidates(begin, end, blocks[b]);
      });
    }
    if (gradient_) CopyCandidateGradient();
  }

 private:
  void ClearCandidates() {
    std::fill_n(solution_.d_candidates, problem_.columns * problem_.dim, 0.0f);
    if (solution_.d_bias != nullptr) std::fill_n(solution_.d_bias, problem_.columns, 0.0f);
  }

  // Every tile of candidates by rows, and transposed; zeros past the last candidate.
  void PrepareCandidates() {
    by_row_.resize(tiles_ * kTile * width_);
    packed_.resize(tiles_ * kTile * problem_.dim);
    bias_.assign(tiles_ * kTile, 0.0f);
    if (problem_.bias != nullptr) {
      std::copy(problem_.bias, problem_.bias + problem_.columns, bias_.begin());
    }
    if (gradient_) {
      d_candidates_.resize(by_row_.size());
      d_bias_.resize(solution_.d_bias == nullptr ? 0 : bias_.size());
    }
    executor_.ParallelFor(tiles_, kTile * width_, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t count = std::min(kTile, problem_.columns - tile * kTile);
        float* packed = &packed_[tile * kTile * problem_.dim];
        const float* first = problem_.candidates + tile * kTile * problem_.dim;
        PackTile(first, count, problem_.dim, packed);
        for (int64_t c = 0; c < count; ++c) {
          const float* from = first + c * problem_.dim;
          std::copy(from, from + problem_.dim, &by_row_[(tile * kTile + c) * width_]);
        }
      }
    });
  }

  // |q . c + b| <= |q| |c| + |b|, so lengths are all that has to be looked at.
  bool Moderate() const {
    double bias = 0;
    for (float one : bias_) bias = LargerOrNan(bias, std::fabs(one));
    const double bound = Longest(problem_.queries, problem_.rows) *
                             Longest(problem_.candidates, problem_.columns) +
                         bias;
    return bound <= kModerate;
  }

  static double LargerOrNan(double a, double b) { return b <= a ? a : b; }

  double Longest(const float* vectors, int64_t count) const {
    double longest = 0;
    for (int64_t i = 0; i < count; ++i) {
      const float* vector = vectors + i * problem_.dim;
      float parts[8] = {};
      int64_t k = 0;
      for (; k + 8 <= problem_.dim; k += 8) {
        for (int j = 0; j < 8; ++j) parts[j] += vector[k + j] * vector[k + j];
      }
      double square = 0;
      for (; k < problem_.dim; ++k) square += double{vector[k]} * vector[k];
      for (float part : parts) square += part;
      longest = LargerOrNan(longest, square);
    }
    return std::sqrt(longest);
  }

  const float* BiasOf(int64_t tile) const {
    return problem_.bias == nullptr ? nullptr : &bias_[tile * kTile];
  }

  // The scores of a block's rows with a tile, `kLeftOut` where a column is left out.
  void Score(Block& block, int64_t tile, float* scores) const {
    kernels_.scores(block.queries(), block.rows(), width_, problem_.dim,
                    &packed_[tile * kTile * problem_.dim], BiasOf(tile), scores);
    const int64_t begin = tile * kTile, end = begin + kTile;
    for (int64_t r = 0; r < block.count(); ++r) {
      ExcludedColumns::Range& left = block.excluded()[r];
      for (; left.begin != left.end && *left.begin < end; ++left.begin) {
        scores[r * kTile + *left.begin - begin] = kLeftOut;
      }
    }
    for (int64_t c = std::min(kTile, problem_.columns - begin); c < kTile; ++c) {
      for (int64_t r = 0; r < block.rows(); ++r) scores[r * kTile + c] = kLeftOut;
    }
  }

  void BeginTiles(Block& block) const {
    for (int64_t r = 0; r < block.count(); ++r) {
      block.excluded()[r] = excluded_.Of(block.first() + r);
    }
  }

  // Takes the largest score of some tiles.
  void FindShift(Block& block, int64_t tiles) const {
    std::fill_n(block.shift(), block.rows(), kLeftOut);
    BeginTiles(block);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      Score(block, tile, block.powers(0));
      kernels_.largest(block.powers(0), block.rows(), block.shift());
    }
    for (int64_t r = 0; r < block.rows(); ++r) {
      if (block.shift()[r] == kLeftOut) block.shift()[r] = 0;
    }
  }

  // Losses of some rows, the gradient by their queries, and what that by the candidates needs.
  void OfRows(int64_t first, Block& block) const {
    block.Begin(problem_, first);
    if (shifted_) FindShift(block, std::min<int64_t>(tiles_, 1));
    SumTiles(block);
    if (shifted_ && !InBounds(block)) {
      FindShift(block, tiles_);
      block.ClearSums();
      SumTiles(block);
    }
    for (int64_t r = 0; r < block.count(); ++r) OfRow(block, r);
  }

  // Whether the shift that a few candidates gave is near enough to that which all would give. It
  // nearly always is, and saves a product of matrices.
  bool InBounds(const Block& block) const {
    for (int64_t r = 0; r < block.count(); ++r) {
      const double sum = block.sum(r);
      if (!(sum > 1 / kLargestSum && sum < kLargestSum)) return false;
    }
    return true;
  }

  void SumTiles(Block& block) const {
    BeginTiles(block);
    for (int64_t tile = 0; tile < tiles_; ++tile) {
      float* powers = block.powers(tile);
      Score(block, tile, powers);
      kernels_.exponentials(powers, block.rows(), block.shift(), block.sums());
      if (gradient_) {
        kernels_.add_products(powers, block.rows(), &by_row_[tile * kTile * width_], width_,
                              block.products());
      }
    }
  }

  void OfRow(Block& block, int64_t r) const {
    const int64_t row = block.first() + r;
    const double sum = block.sum(r);
    // A NaN is none of `== 0`.
    const double z = sum == 0 ? double{problem_.lowest} : std::log(sum) + block.shift()[r];
    double loss = z, share = 1;
    if (problem_.positives != nullptr) {
      const double above = z - problem_.positives[row];
      const double power = std::exp(-std::fabs(above));
      loss = (above > 0 ? above : 0) + std::log1p(power);
      if (std::isnan(above)) loss = above;
      share = above > 0 ? 1 / (1 + power) : power / (1 + power);
    }
    solution_.losses[row] = static_cast<float>(loss);
    if (!gradient_) return;
    const double weight = problem_.weights == nullptr ? 1.0 : problem_.weights[row];
    if (problem_.positives != nullptr) {
      solution_.d_positives[row] = static_cast<float>(-weight * share);
    }
    const auto factor = static_cast<float>(sum == 0 ? 0.0 : weight * share / sum);
    block.factors()[r] = factor;
    float* query = block.queries() + r * width_;
    for (int64_t k = 0; k < problem_.dim; ++k) {
      solution_.d_queries[row * problem_.dim + k] = factor * block.products()[r * width_ + k];
      query[k] *= factor;
    }
  }

  void OfCandidates(int64_t begin, int64_t end, Block& block) {
    for (int64_t tile = begin; tile < end; ++tile) {
      kernels_.add_transposed(block.powers(tile), block.rows(), block.queries(), width_,
                              &d_candidates_[tile * kTile * width_]);
      if (!d_bias_.empty()) {
        kernels_.add_column_sums(block.powers(tile), block.rows(), block.factors(),
                                 &d_bias_[tile * kTile]);
      }
    }
  }

  void CopyCandidateGradient() const {
    for (int64_t c = 0; c < problem_.columns; ++c) {
      const float* from = &d_candidates_[c * width_];
      std::copy(from, from + problem_.dim, solution_.d_candidates + c * problem_.dim);
    }
    if (!d_bias_.empty()) std::copy_n(d_bias_.begin(), problem_.columns, solution_.d_bias);
  }

  const Problem& problem_;
  const TileKernels& kernels_;
  Executor& executor_;
  const Solution& solution_;
  const bool gradient_;
  const int64_t width_;  // the dimension, padded
  const int64_t tiles_;
  const ExcludedColumns excluded_;
  bool shifted_ = false;
  std::vector<float> by_row_, packed_, bias_, d_candidates_, d_bias_;
};

}  // namespace

void Solve(const Problem& problem, const TileKernels& kernels, Executor& executor,
           const Solution& solution) {
  Solver(problem, kernels, executor, solution).Run();
}

}  // namespace recs::scores
