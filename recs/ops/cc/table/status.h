// What an engine call returns when it can fail: a kind and a message. The engine never throws for
// bad input; only running out of memory does (`std::bad_alloc`), and the op boundary catches it.
#ifndef RECS_TABLE_STATUS_H_
#define RECS_TABLE_STATUS_H_

#include <string>
#include <utility>

namespace recs {

enum class StatusCode { kOk, kInvalidArgument, kFailedPrecondition, kDataLoss, kIoError };

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
inline Status FailedPrecondition(std::string m) {
  return {StatusCode::kFailedPrecondition, std::move(m)};
}
inline Status DataLoss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
inline Status IoError(std::string m) { return {StatusCode::kIoError, std::move(m)}; }

}  // namespace recs

#endif  // RECS_TABLE_STATUS_H_
