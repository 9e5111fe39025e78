#include "guest_link/request_limits.h"

#include <string>

#include "protocol/frame.h"

namespace cay {
namespace {

constexpr const char* kOtherWay =
    "pass it in a file, or on standard input; a script can be a file as well";

Failure TooLong(const std::string& message) {
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller, "argument list too long: " + message)
          .WithRemedy(kOtherWay));
}

std::string TooMany(size_t count, std::string_view what, size_t maximum) {
  return std::to_string(count) + " " + std::string(what) + ", over the maximum of " +
         std::to_string(maximum);
}

}  // namespace

Result<void> CheckLength(std::string_view what, std::string_view text, size_t maximum) {
  if (text.size() <= maximum) return {};
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       std::string(what) + " has " + std::to_string(text.size()) +
                           " bytes, over the maximum of " + std::to_string(maximum)));
}

Result<void> CheckLengths(const protocol::StartRequest& request) {
  if (request.argv.size() > protocol::kMaxArguments)
    return TooLong(TooMany(request.argv.size(), "arguments", protocol::kMaxArguments));
  if (request.env.size() > protocol::kMaxEnvironment)
    return TooLong(TooMany(request.env.size(), "environment variables", protocol::kMaxEnvironment));
  const std::string most =
      " bytes, over the maximum of " + std::to_string(protocol::kMaxArgumentBytes);
  for (const std::string& argument : request.argv) {
    if (argument.size() > protocol::kMaxArgumentBytes)
      return TooLong(std::to_string(argument.size()) + most + " for one argument");
  }
  for (const std::string& variable : request.env) {
    if (variable.size() <= protocol::kMaxArgumentBytes) continue;
    const std::string name = variable.substr(0, std::min<size_t>(variable.find('='), 64));
    return TooLong(std::to_string(variable.size()) + most + " for one variable: " + name);
  }
  TRY(CheckLength("the working directory", request.cwd, protocol::kMaxPathBytes));
  return CheckLength("the user", request.user, protocol::kMaxUserBytes);
}

Result<void> CheckStartSize(size_t bytes) {
  if (bytes <= protocol::kMaxStartBytes) return {};
  return TooLong(std::to_string(bytes) +
                 " bytes of arguments and environment together, over the maximum of " +
                 std::to_string(protocol::kMaxStartBytes));
}

}  // namespace cay
