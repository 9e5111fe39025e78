#include "protocol/messages.h"
#include "base/encoding.h"

namespace cay::protocol {
namespace {

// The guest is not trusted: what it says may end on a terminal.
std::string Printable(std::string_view bytes) {
  std::string text = ToUtf8Lossy(bytes);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

}  // namespace

ErrorMessage ToMessage(const Error& error) {
  ErrorMessage message;
  message.code = ErrorCodeName(error.code());
  message.callers_fault = error.fault() == Fault::kCaller;
  message.message = error.message().substr(0, kMaxErrorBytes);
  message.remedy = error.remedy().text().substr(0, kMaxErrorBytes);
  message.sys_errno = error.sys_errno();
  return message;
}

Error FromMessage(const ErrorMessage& message) {
  // The disk that is full for a guest is its sandbox's, whichever of its system calls met it.
  const bool full_disk = message.sys_errno == ENOSPC || message.sys_errno == EDQUOT;
  Error error(ErrorCodeFromName(message.code),
              message.callers_fault || full_disk ? Fault::kCaller : Fault::kMachine,
              Printable(message.message));
  error.set_sys_errno(message.sys_errno);
  if (message.remedy.empty()) return error;
  return std::move(error).WithRemedy(Printable(message.remedy));
}

}  // namespace cay::protocol
