// Replays inputs of a fuzz entry point, and after each as many changed ones as the first argument
// says: what a machine without libFuzzer can do.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace recs::testing {
namespace {

// Changes, removes or repeats some bytes.
std::vector<uint8_t> Changed(std::vector<uint8_t> input, Random& random) {
  for (uint64_t changes = 1 + random.Below(4); changes > 0 && !input.empty(); --changes) {
    const auto at = static_cast<std::ptrdiff_t>(random.Below(input.size()));
    const auto rest = static_cast<uint64_t>(input.end() - input.begin() - at);
    const auto some = static_cast<std::ptrdiff_t>(1 + random.Below(std::min<uint64_t>(rest, 8)));
    switch (random.Below(5)) {
      case 0:
        input[at] ^= static_cast<uint8_t>(1u << random.Below(8));
        break;
      case 1:
        std::fill_n(input.begin() + at, some, static_cast<uint8_t>(random.Below(2) * 0xff));
        break;
      case 2:
        input.erase(input.begin() + at, input.begin() + at + some);
        break;
      case 3: {
        const std::vector<uint8_t> copy(input.begin() + at, input.begin() + at + some);
        input.insert(input.begin() + at, copy.begin(), copy.end());
        break;
      }
      default:
        input[at] = static_cast<uint8_t>(random.Next());
    }
  }
  return input;
}

}  // namespace
}  // namespace recs::testing

int main(int count, char** arguments) {
  const long changes = count > 1 ? std::atol(arguments[1]) : 0;
  long inputs = 0;
  for (int i = 2; i < count; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    const std::vector<uint8_t> input{std::istreambuf_iterator<char>(file), {}};
    recs::testing::Random random(static_cast<uint64_t>(i));
    for (long c = 0; c <= changes; ++c, ++inputs) {
      recs::testing::note = std::string(arguments[i]) + ", change " + std::to_string(c);
      const auto changed = c == 0 ? input : recs::testing::Changed(input, random);
      LLVMFuzzerTestOneInput(changed.data(), changed.size());
    }
  }
  std::printf("%ld inputs\n", inputs);
  return 0;
}
