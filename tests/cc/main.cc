// Runs all tests, or those that the command line names, and says which take more than a second.
#include <algorithm>
#include <chrono>

#include "check.h"

int main(int argc, char** argv) {
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  int run = 0;
  for (const auto& [name, test] : recs::testing::Tests()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    recs::testing::note = name;
    const auto start = std::chrono::steady_clock::now();
    test();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (taken.count() > 1) std::printf("%s: %.1f s\n", name.c_str(), taken.count());
    ++run;
  }
  std::printf("%d tests passed\n", run);
  return run == 0;
}
