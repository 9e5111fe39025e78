#include "base/error.h"

#include <array>
#include <cstring>
#include <utility>

namespace cay {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 16> kNames = {{
    {ErrorCode::kInvalidArgument, "invalid_argument"},
    {ErrorCode::kNotFound, "not_found"},
    {ErrorCode::kAlreadyExists, "already_exists"},
    {ErrorCode::kLimitTooHigh, "limit_too_high"},
    {ErrorCode::kIllegalState, "illegal_state"},
    {ErrorCode::kPermissionDenied, "permission_denied"},
    {ErrorCode::kNotExecutable, "not_executable"},
    {ErrorCode::kCommandNotFound, "command_not_found"},
    {ErrorCode::kNotSupported, "not_supported"},
    {ErrorCode::kNotEnforceable, "not_enforceable"},
    {ErrorCode::kResourceExhausted, "resource_exhausted"},
    {ErrorCode::kTimeout, "timeout"},
    {ErrorCode::kProtocol, "protocol"},
    {ErrorCode::kUnavailable, "unavailable"},
    {ErrorCode::kIo, "io"},
    {ErrorCode::kInternal, "internal"},
}};

ErrorCode CodeOfErrno(int sys_errno) {
  switch (sys_errno) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EAGAIN:
    case EUSERS:
      return ErrorCode::kResourceExhausted;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorCode::kNotSupported;
    case EPERM:
    case EACCES:
      return ErrorCode::kPermissionDenied;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) {
  for (const auto& [value, name] : kNames) {
    if (value == code) return name;
  }
  return "internal";
}

ErrorCode ErrorCodeFromName(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return ErrorCode::kInternal;
}

std::string ErrnoText(int sys_errno) {
  // Null for what only the kernel's insides know (ENOTSUPP is 524), and for what a FUSE daemon made
  // up.
  const char* text = ::strerrordesc_np(sys_errno);
  return text != nullptr ? text : "unknown error " + std::to_string(sys_errno);
}

Error Error::FromErrno(std::string_view what, int sys_errno) {
  Error error(CodeOfErrno(sys_errno), Fault::kMachine,
              std::string(what) + ": " + ErrnoText(sys_errno));
  error.sys_errno_ = sys_errno;
  return error;
}

Error&& Error::WithContext(std::string_view context) && {
  message_.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

std::string Error::ToString(WordFor word) const {
  if (remedy_.empty()) return message_;
  return message_ + " (" + (word != nullptr ? remedy_.InWords(word) : remedy_.text()) + ")";
}

}  // namespace cay
