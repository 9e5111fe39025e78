// Error: what went wrong, in a form that a program can branch on and a person can act on.
//
//   return Error(ErrorCode::kLimitTooHigh, Fault::kCaller, "memory limit 64g is over the maximum of
//   32g")
//       .WithRemedy("ask for 32g or less, or raise limits.max_memory in cay.toml");
//
// What sandboxed code did (an exit code, a signal, a timeout, running out of memory) is a result
// and never an Error.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "base/remedy.h"

namespace cay {

// Stable: the names (ErrorCodeName) are part of the API and are never changed or reused.
enum class ErrorCode {
  kInvalidArgument,    // the request makes no sense as it stands
  kNotFound,           // what it names does not exist
  kAlreadyExists,      // what it would make is there already
  kLimitTooHigh,       // a value over a maximum
  kIllegalState,       // the transition is not in the state machine
  kPermissionDenied,   // the caller is not allowed to do it
  kNotExecutable,      // a command exists but cannot be executed (exit code 126)
  kCommandNotFound,    // a command does not exist (exit code 127)
  kNotSupported,       // this machine or engine cannot
  kNotEnforceable,     // a limit was asked for that cannot be enforced here
  kResourceExhausted,  // the machine is full: memory, disk, ids, sandboxes
  kTimeout,            // Cay's own wait ran out (not the command's)
  kProtocol,           // the other side sent what it must not
  kUnavailable,        // the other side is gone or not there yet
  kIo,                 // the kernel said no for another reason
  kInternal,           // a defect of Cay
};

// Whose fault it is. Maps to 4xx and 5xx.
enum class Fault { kCaller, kMachine };

// "invalid_argument", …
std::string_view ErrorCodeName(ErrorCode code);

// The reverse of ErrorCodeName; kInternal for a name that is not one.
ErrorCode ErrorCodeFromName(std::string_view name);

// "No such file or directory"; "unknown error 524" for a number without a name.
std::string ErrnoText(int sys_errno);

class Error {
 public:
  Error(ErrorCode code, Fault fault, std::string message)
      : code_(code), fault_(fault), message_(std::move(message)) {}

  // An error of the kernel's: "WHAT: No such file or directory", kIo and kMachine unless the errno
  // says more (EMFILE, ENOSPC … are kResourceExhausted, ENOSYS is kNotSupported, EPERM is
  // kPermissionDenied).
  static Error FromErrno(std::string_view what, int sys_errno = errno);

  static Error Invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, Fault::kCaller, std::move(message)};
  }

  // A request that is well formed, and can never be done as things are: it names something of the
  // wrong kind, or contradicts itself. The same code as Invalid; told apart by a sys_errno, which
  // is the kernel's where that found it out.
  static Error Impossible(std::string message, int sys_errno = EINVAL) {
    Error error = Invalid(std::move(message));
    error.sys_errno_ = sys_errno;
    return error;
  }

  // The caller has too much under way at this moment: it passes. Told apart from a quota, which
  // does not pass, by its sys_errno.
  static Error Busy(std::string message) {
    Error error(ErrorCode::kResourceExhausted, Fault::kCaller, std::move(message));
    error.sys_errno_ = EAGAIN;
    return error;
  }

  // What the reader can do about it.
  Error&& WithRemedy(Remedy remedy) && {
    remedy_ = std::move(remedy);
    return std::move(*this);
  }

  // Puts "CONTEXT: " before the message.
  Error&& WithContext(std::string_view context) &&;

  ErrorCode code() const { return code_; }
  Fault fault() const { return fault_; }
  const std::string& message() const { return message_; }
  const Remedy& remedy() const { return remedy_; }
  int sys_errno() const { return sys_errno_; }  // 0 when no system call was involved

  void set_sys_errno(int value) { sys_errno_ = value; }

  // One line: message, and the remedy in parentheses when there is one, in a face's words.
  std::string ToString(WordFor word = nullptr) const;

 private:
  ErrorCode code_;
  Fault fault_;
  std::string message_;
  Remedy remedy_;
  int sys_errno_ = 0;
};

}  // namespace cay
