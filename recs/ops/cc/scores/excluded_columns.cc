#include "scores/excluded_columns.h"

#include <algorithm>
#include <numeric>

#include "scores/softmax_loss.h"

namespace recs::scores {

ExcludedColumns::ExcludedColumns(const Problem& problem) : problem_(problem) {
  if (problem.numbers == nullptr && !problem.without_diagonal) return;
  sorted_.resize(problem.columns);
  std::iota(sorted_.begin(), sorted_.end(), 0);
  if (problem.numbers == nullptr) return;
  const int64_t* numbers = problem.numbers;
  std::sort(sorted_.begin(), sorted_.end(), [numbers](int64_t a, int64_t b) {
    return numbers[a] != numbers[b] ? numbers[a] < numbers[b] : a < b;
  });
  numbers_.reserve(sorted_.size());
  for (int64_t column : sorted_) numbers_.push_back(numbers[column]);
}

ExcludedColumns::Range ExcludedColumns::Of(int64_t row) const {
  const int64_t* columns = sorted_.data();
  if (problem_.numbers != nullptr) {
    const auto found =
        std::equal_range(numbers_.begin(), numbers_.end(), problem_.own_numbers[row]);
    return {columns + (found.first - numbers_.begin()), columns + (found.second - numbers_.begin())};
  }
  if (!problem_.without_diagonal || row >= problem_.columns) return {columns, columns};
  return {columns + row, columns + row + 1};
}

}  // namespace recs::scores
