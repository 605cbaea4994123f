// Tests without a framework: TEST registers a function, CHECK says what failed and where.
//
// A failing check prints the note of the operation under way (for a random one: its seed and
// number, so that it can be run again) and aborts, so that a sanitizer shows the stack.
#ifndef RECS_TESTS_CC_CHECK_H_
#define RECS_TESTS_CC_CHECK_H_

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace recs::testing {

// What the thread is doing, for the message.
inline thread_local std::string note;

template <class T>
std::string Show(const T& value) {
  std::ostringstream out;
  out.precision(9);
  out << value;
  return out.str();
}

[[noreturn]] inline void Fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what.c_str(), note.empty() ? "" : "; during ",
               note.c_str());
  std::fflush(stderr);
  std::abort();
}

using Test = void (*)();

inline std::vector<std::pair<std::string, Test>>& Tests() {
  static std::vector<std::pair<std::string, Test>> tests;
  return tests;
}

struct Register {
  Register(const char* name, Test test) { Tests().emplace_back(name, test); }
};

}  // namespace recs::testing

#define TEST(name)                                              \
  static void name();                                           \
  static const recs::testing::Register register_##name(#name, name); \
  static void name()

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) recs::testing::Fail(__FILE__, __LINE__, "CHECK(" #condition ")"); \
  } while (false)

#define CHECK_EQ(left, right)                                                                   \
  do {                                                                                          \
    const auto& left_value = (left);                                                            \
    const auto& right_value = (right);                                                          \
    if (!(left_value == right_value)) {                                                         \
      recs::testing::Fail(__FILE__, __LINE__,                                                   \
                          "CHECK_EQ(" #left ", " #right "): " +                                 \
                              recs::testing::Show(left_value) + " and " +                       \
                              recs::testing::Show(right_value));                                \
    }                                                                                           \
  } while (false)

#define CHECK_NEAR(left, right, tolerance)                                                      \
  do {                                                                                          \
    const double left_value = (left);                                                           \
    const double right_value = (right);                                                         \
    if (!(std::abs(left_value - right_value) <= (tolerance))) {                                 \
      recs::testing::Fail(__FILE__, __LINE__,                                                   \
                          "CHECK_NEAR(" #left ", " #right "): " +                               \
                              recs::testing::Show(left_value) + " and " +                       \
                              recs::testing::Show(right_value));                                \
    }                                                                                           \
  } while (false)

#endif  // RECS_TESTS_CC_CHECK_H_
