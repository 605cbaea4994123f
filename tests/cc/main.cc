// Runs all tests, or those that the command line names.
#include <algorithm>

#include "check.h"

int main(int argc, char** argv) {
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  int run = 0;
  for (const auto& [name, test] : recs::testing::Tests()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    recs::testing::note = name;
    test();
    ++run;
  }
  std::printf("%d tests passed\n", run);
  return run == 0;
}
