// Which columns are left out of each row.
#ifndef RECS_SCORES_EXCLUDED_COLUMNS_H_
#define RECS_SCORES_EXCLUDED_COLUMNS_H_

#include <cstdint>
#include <vector>

namespace recs::scores {

struct Problem;

// Those with the row's own number, found by sorting the columns by number once: nothing is compared
// for each pair of a row and a column.
class ExcludedColumns {
 public:
  explicit ExcludedColumns(const Problem& problem);

  struct Range {
    const int64_t* begin;
    const int64_t* end;
  };

  // The columns left out of a row, in ascending order.
  Range Of(int64_t row) const;

 private:
  const Problem& problem_;
  std::vector<int64_t> sorted_;   // columns by number; without numbers each in its own place
  std::vector<int64_t> numbers_;  // of `sorted_`
};

}  // namespace recs::scores

#endif  // RECS_SCORES_EXCLUDED_COLUMNS_H_
