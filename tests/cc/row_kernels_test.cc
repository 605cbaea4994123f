// Kernels of rows give the same bits with every instruction set.
#include "table/row_kernels.h"

#include <functional>
#include <limits>

#include "kernels_here.h"
#include "optimizers/sum_of_squares.h"
#include "support.h"
#include "table/random_row.h"
#include "table/storage.h"

namespace recs::testing {
namespace {

std::vector<float> Numbers(int count) {
  Random random(count + 1);
  std::vector<float> numbers(count);
  for (float& one : numbers) one = (random.Unit() - 0.5f) * 3;
  return numbers;
}

// Calls `run(row, dim)` on rows of many widths and compares what each path leaves in them.
void CheckPaths(const char* name, const std::function<void(float*, int)>& run) {
  for (int dim : {0, 1, 3, 7, 8, 15, 16, 17, 33, 64, 100}) {
    std::vector<float> portable;
    for (KernelPath path : PathsHere()) {
      OnPath on(path);
      note = std::string(name) + " " + NameOf(path) + " dim " + Show(dim);
      std::vector<float> row = Numbers(dim);
      row.push_back(77.0f);  // nothing is written behind the row
      run(row.data(), dim);
      CHECK_EQ(row[dim], 77.0f);
      if (path == KernelPath::kPortable) portable = row;
      CHECK(std::memcmp(row.data(), portable.data(), sizeof(float) * dim) == 0);
    }
  }
}

TEST(RowKernelsGiveTheSameBitsOnEveryPath) {
  const std::vector<float> other = Numbers(100);
  CheckPaths("AddRow", [&](float* row, int dim) { AddRow(other.data(), row, dim); });
  CheckPaths("AddScaledRow",
             [&](float* row, int dim) { AddScaledRow(other.data(), 0.3f, row, dim); });
  CheckPaths("ScaleRow", [](float* row, int dim) { ScaleRow(0.7f, row, dim); });
  CheckPaths("ClipRow", [](float* row, int dim) {
    ClipRow(0.5f, row, dim);
    for (int j = 0; j < dim; ++j) CHECK(std::abs(row[j]) <= 0.5f);
  });
  CheckPaths("SumOfSquares", [](float* row, int dim) {
    double exact = 0;
    for (int j = 0; j < dim; ++j) exact += double{row[j]} * row[j];
    const float sum = SumOfSquares(row, dim);
    CHECK_NEAR(sum, exact, 1e-6 * exact);
    if (dim > 0) row[0] = sum;
  });
  CheckPaths("UniformRow", [](float* row, int dim) { UniformRow(5, -1, 2, row, dim); });
  CheckPaths("NormalRow", [](float* row, int dim) { NormalRow(6, 1, 2, row, dim); });
  CheckPaths("TruncatedNormalRow",
             [](float* row, int dim) { TruncatedNormalRow(7, 0, 1, row, dim); });
}

TEST(RowsAreStoredInTheSameBitsOnEveryPath) {
  for (Storage storage : {Storage::kBfloat16, Storage::kFloat16}) {
    CheckPaths("EncodeNearest", [&](float* row, int dim) {
      std::vector<uint16_t> stored(dim);
      EncodeNearest(storage, row, stored.data(), dim);
      Decode(storage, stored.data(), row, dim);
    });
    CheckPaths("EncodeStochastic", [&](float* row, int dim) {
      std::vector<uint16_t> stored(dim);
      EncodeStochastic(storage, row, 9, stored.data(), dim);
      Decode(storage, stored.data(), row, dim);
    });
  }
}

TEST(EveryPathFindsWhatIsNotFinite) {
  for (KernelPath path : PathsHere()) {
    OnPath on(path);
    note = NameOf(path);
    for (int dim : {1, 8, 19, 40}) {
      for (int j = 0; j < dim; ++j) {
        std::vector<float> row = Numbers(dim);
        CHECK(AllFinite(row.data(), dim));
        for (float bad : {NAN, std::numeric_limits<float>::infinity()}) {
          row[j] = bad;
          CHECK(!AllFinite(row.data(), dim));
        }
      }
    }
  }
}

TEST(ThePathOfAName) {
  KernelPath path;
  CHECK_EQ(ParsePath(nullptr, &path), "");
  CHECK(path == BestPath());
  CHECK_EQ(ParsePath("", &path), "");
  CHECK(path == BestPath());
  for (KernelPath known : kKernelPaths) {
    const std::string wrong = ParsePath(NameOf(known), &path);
    CHECK_EQ(wrong.empty(), Supports(known));
    CHECK(path == (Supports(known) ? known : BestPath()));
  }
  CHECK_EQ(ParsePath("sse9", &path),
           "`RECS_KERNELS` must be 'avx512', 'avx2' or 'portable'. Received: RECS_KERNELS='sse9' (in "
           "the library of recs's ops). Unset it to use the widest ones.");
  CHECK(path == BestPath());
}

}  // namespace
}  // namespace recs::testing
