#include "table/storage.h"

#include <algorithm>
#include <cmath>
#include <limits>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "support.h"

namespace recs::testing {
namespace {

struct Format {
  Storage storage;
  int mantissa_bits;
  int bias;
  uint16_t largest;  // the bits of the largest finite number
};
constexpr Format kFormats[] = {{Storage::kBfloat16, 7, 127, 0x7f7f},
                               {Storage::kFloat16, 10, 15, 0x7bff}};

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

// What the bits without a sign mean, from the definition of such formats.
double Magnitude(const Format& format, uint16_t bits) {
  const int exponent = bits >> format.mantissa_bits;
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  const int hidden = exponent == 0 ? 0 : 1 << format.mantissa_bits;
  return std::ldexp(hidden + mantissa, std::max(exponent, 1) - format.bias - format.mantissa_bits);
}

// The bits of the largest number that is at most `magnitude`.
uint16_t Below(const Format& format, double magnitude) {
  uint16_t low = 0, high = format.largest;
  while (low < high) {
    const auto middle = static_cast<uint16_t>((low + high + 1) / 2);
    if (Magnitude(format, middle) <= magnitude) {
      low = middle;
    } else {
      high = static_cast<uint16_t>(middle - 1);
    }
  }
  return low;
}

// The fraction of the way from the number below to the one above.
double PartAbove(const Format& format, double magnitude) {
  const uint16_t below = Below(format, magnitude);
  if (below == format.largest) return 0.0;
  const double from = Magnitude(format, below);
  return (magnitude - from) / (Magnitude(format, static_cast<uint16_t>(below + 1)) - from);
}

uint16_t Nearest(const Format& format, double value) {
  const uint16_t below = Below(format, std::fabs(value));
  const double part = PartAbove(format, std::fabs(value));
  const bool up = part > 0.5 || (part == 0.5 && below % 2 == 1);
  return static_cast<uint16_t>(below + up) | (std::signbit(value) ? 0x8000 : 0);
}

// Runs the check as it is, and as threads of TensorFlow run: with subnormal floats flushed to
// zero. What is expected is to be computed before.
template <class Check>
void InBothModes(Check check) {
  check();
#ifdef __SSE__
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);
  check();
  _mm_setcsr(before);
#endif
}

TEST(StorageDecodesEveryNumber) {
  for (const Format& format : kFormats) {
    std::vector<uint16_t> stored;
    std::vector<uint32_t> expected;
    for (uint32_t bits = 0; bits <= format.largest; ++bits) {
      const auto value = static_cast<float>(Magnitude(format, static_cast<uint16_t>(bits)));
      stored.insert(stored.end(),
                    {static_cast<uint16_t>(bits), static_cast<uint16_t>(bits | 0x8000)});
      expected.insert(expected.end(), {BitsOf(value), BitsOf(value) | 0x80000000u});
    }
    const auto n = static_cast<int>(stored.size());
    InBothModes([&] {
      std::vector<float> values(n);
      Decode(format.storage, stored.data(), values.data(), n);
      CHECK_EQ(std::memcmp(values.data(), expected.data(), 4 * size_t(n)), 0);
      // And every number is stored as itself, however it is rounded.
      std::vector<uint16_t> again(n);
      EncodeNearest(format.storage, values.data(), again.data(), n);
      CHECK(again == stored);
      for (uint64_t stream = 0; stream < 50; ++stream) {
        EncodeStochastic(format.storage, values.data(), Mix(stream + 1), again.data(), n);
        CHECK(again == stored);
      }
    });
  }
}

TEST(StorageRoundsToTheNearest) {
  for (const Format& format : kFormats) {
    std::vector<float> values = {0.0f, -0.0f, 1e30f, -1e30f, std::numeric_limits<float>::max(),
                                 std::numeric_limits<float>::infinity(), 65519.0f, 65520.0f};
    for (uint32_t bits = 0; bits < format.largest; ++bits) {
      const double from = Magnitude(format, static_cast<uint16_t>(bits));
      const double to = Magnitude(format, static_cast<uint16_t>(bits + 1));
      const auto middle = static_cast<float>((from + to) / 2);  // exact in float32
      for (float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e38f)}) {
        values.insert(values.end(), {value, -value});
      }
    }
    Random random(7);
    for (int i = 0; i < 100000; ++i) {
      const auto bits = static_cast<uint32_t>(random.Next());
      if (std::isfinite(FromBits(bits))) values.push_back(FromBits(bits));
    }
    std::vector<uint16_t> expected;
    for (float value : values) expected.push_back(Nearest(format, value));
    const auto n = static_cast<int>(values.size());
    InBothModes([&] {
      std::vector<uint16_t> stored(n);
      EncodeNearest(format.storage, values.data(), stored.data(), n);
      for (int i = 0; i < n; ++i) {
        if (stored[i] != expected[i]) note = Show(values[i]);
        CHECK_EQ(stored[i], expected[i]);
      }
    });
  }
}

// Values of every size: of each, the numbers below and above, and how often which is to come.
TEST(StochasticRoundingIsRightInTheMean) {
  constexpr int kPlaces = 32;
  constexpr int kStreams = 4096;
  constexpr double kDraws = double{kPlaces} * kStreams;
  for (const Format& format : kFormats) {
    Random random(11);
    std::vector<float> values = {1e-30f, 1e30f, 70000.0f, 65503.0f, 1.0f, 0.1f, 6e-8f, 3e-8f};
    for (int exponent = -26; exponent <= 16; ++exponent) {
      const float value = std::ldexp(1.0f + random.Unit(), exponent);
      values.insert(values.end(), {value, -value});
    }
    for (const float value : values) {
      note = Show(value);
      const uint16_t below = Below(format, std::fabs(double{value}));
      const double part = PartAbove(format, std::fabs(double{value}));
      const std::vector<float> row(kPlaces, value);
      InBothModes([&] {
        std::vector<uint16_t> stored(kPlaces);
        int ups = 0;
        for (uint64_t stream = 0; stream < kStreams; ++stream) {
          EncodeStochastic(format.storage, row.data(), Mix(stream + 1), stored.data(), kPlaces);
          for (uint16_t bits : stored) {
            CHECK_EQ(bits >> 15, std::signbit(value) ? 1 : 0);
            const int up = (bits & 0x7fff) - below;
            CHECK(up == 0 || up == 1);
            ups += up;
          }
        }
        // Five standard errors; what is drawn has 23 bits at most.
        const double error = 5 * std::sqrt(kDraws * part * (1 - part)) + kDraws * 0x1p-23;
        CHECK_NEAR(double(ups), kDraws * part, error);
      });
    }
    note.clear();
  }
}

TEST(StochasticRoundingDrawsForEveryPlaceAndStream) {
  for (const Format& format : kFormats) {
    const float middle = 1.0f + std::ldexp(0.5f, -format.mantissa_bits);
    const std::vector<float> row(64, middle);
    std::vector<std::vector<uint16_t>> drawn;
    for (uint64_t stream : {uint64_t{0}, Mix(1), Mix(1), Mix(2)}) {
      drawn.emplace_back(64);
      EncodeStochastic(format.storage, row.data(), stream, drawn.back().data(), 64);
      const auto ups = std::count(drawn.back().begin(), drawn.back().end(),
                                  Nearest(format, middle) + 1);
      CHECK(ups > 10 && ups < 54);
    }
    CHECK(drawn[1] == drawn[2]);
    CHECK(drawn[0] != drawn[1]);
    CHECK(drawn[1] != drawn[3]);
  }
}

TEST(Float32IsStoredAsItIs) {
  const std::vector<float> values = {0.1f, -1e-40f, 3e38f};
  std::vector<float> stored(3), read(3);
  EncodeNearest(Storage::kFloat32, values.data(), stored.data(), 3);
  CHECK(stored == values);
  EncodeStochastic(Storage::kFloat32, values.data(), 5, stored.data(), 3);
  CHECK(stored == values);
  Decode(Storage::kFloat32, stored.data(), read.data(), 3);
  CHECK(read == values);
}

// Updates of a hundredth of the spacing: each alone is lost by rounding to the nearest.
TEST(SmallUpdatesAddUp) {
  for (const Format& format : kFormats) {
    TableOptions options = Options(16);
    options.storage = format.storage;
    Table<int64_t> table(options);
    InlineExecutor executor;
    std::vector<int64_t> keys;
    for (int64_t i = 0; i < 100; ++i) keys.push_back(i);
    table.Upsert(keys.data(), std::vector<float>(1600, 1.0f).data(), 100, executor);
    const float spacing = std::ldexp(1.0f, -format.mantissa_bits);
    for (int i = 0; i < 200; ++i) {
      const Step step = Forward(table, keys, executor);
      Backward(table, step, std::vector<float>(1600, -0.01f * spacing), executor);
      Commit(table, Sgd(1.0f), executor);
    }
    double sum = 0.0;
    for (const auto& [key, row] : Contents(table)) {
      for (float value : row) sum += value - 1.0;
    }
    // 200 updates of 0.01; a value has a standard deviation of sqrt(200 * 0.01 * 0.99) = 1.4.
    CHECK_NEAR(sum / 1600 / spacing, 2.0, 5 * 1.41 / 40);
  }
}

// Whether a look-up gives the rows of new keys or not, what is stored is the same, and lies within
// its record.
TEST(NewRowsThatNobodyReadsAreStoredLikeOthers) {
  for (const Storage storage : {Storage::kFloat32, Storage::kBfloat16, Storage::kFloat16}) {
    TableOptions options = Options(5);
    options.storage = storage;
    Table<int64_t> read(options), unread(options);
    InlineExecutor executor;
    std::vector<int64_t> keys(500);
    for (int64_t i = 0; i < 500; ++i) keys[i] = i;
    Forward(read, keys, executor);
    std::vector<int32_t> inverse(keys.size());
    const UniqueKeys<int64_t> unique(keys.data(), nullptr, 500, inverse.data(), executor);
    std::vector<int64_t> handles(unique.size());
    unread.FindOrInsert(keys.data(), unique, 77, nullptr, nullptr, handles.data(), executor);
    CHECK(Contents(read) == Contents(unread));
    CHECK_EQ(unread.size(), 500);
  }
}

}  // namespace
}  // namespace recs::testing
