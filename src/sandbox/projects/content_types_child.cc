#include "sandbox/projects/content_types_child.h"

#include <magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/units.h"
#include "sandbox/projects/compute_only.h"
#include "sandbox/projects/content_types.h"

namespace cay::sandbox {
namespace {

constexpr Millis kChildPatience{15'000};
constexpr const char* kUnknown = "application/octet-stream";

// In the child.
[[noreturn]] void Tell(magic_t database, std::string_view content, int result) {
  if (!ComputeOnly(result)) ::_exit(1);
  const char* type = ::magic_buffer(database, content.data(), content.size());
  if (type == nullptr) ::_exit(1);
  const std::string_view text = type;
  const ssize_t written = ::write(kComputedFd, text.data(), text.size());
  ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

// Its word, whatever it is: a media type or nothing.
bool IsType(std::string_view text) {
  return text.find('/') != std::string_view::npos && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/!#$&-^_.+").find(c) != std::string_view::npos;
         });
}

// What is written until the end; nothing when that does not come in time, or is too long.
std::optional<std::string> ReadResult(const Fd& pipe) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + kChildPatience;
  std::string text(kMaxTypeAnswer, '\0');
  size_t length = 0;
  while (length < text.size()) {
    const auto left = std::chrono::ceil<Millis>(until - Clock::now()).count();
    pollfd poller{.fd = pipe.get(), .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&poller, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    const ssize_t got = ::read(pipe.get(), text.data() + length, text.size() - length);
    if (got < 0) return std::nullopt;
    if (got == 0) {
      text.resize(length);
      return text;
    }
    length += static_cast<size_t>(got);
  }
  return std::nullopt;
}

std::string TypeOf(magic_t database, std::string_view content) {
  auto pipe = MakePipe();
  if (!pipe) return kUnknown;
  const pid_t child = ::fork();
  if (child < 0) return kUnknown;
  if (child == 0) Tell(database, content, pipe->write.get());
  {
    const Fd theirs = std::move(pipe->write);  // so that its end is seen
  }
  std::optional<std::string> type = ReadResult(pipe->read);
  if (!type) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return ended_well && type && IsType(*type) ? *type : kUnknown;
}

bool Send(const Fd& control, std::string_view text) {
  return ::send(control.get(), text.data(), std::min(text.size(), kMaxTypeAnswer), MSG_NOSIGNAL) >=
         0;
}

}  // namespace

int ServeContentTypes(const Fd& control) {
  // Archives are not looked into: that is another's work, and a bomb's way.
  const std::unique_ptr<magic_set, decltype(&::magic_close)> database(
      ::magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF |
                   MAGIC_NO_CHECK_APPTYPE),
      &::magic_close);
  if (!database) return 1;
  size_t most = ContentTypes::kLookedAt;
  ::magic_setparam(database.get(), MAGIC_PARAM_BYTES_MAX, &most);
  if (::magic_load(database.get(), nullptr) != 0) {
    const char* why = ::magic_error(database.get());
    (void)Send(control, why == nullptr ? "no reason is given" : why);
    return 1;
  }
  if (!Send(control, kTypesGreeting)) return 0;
  std::string content(ContentTypes::kLookedAt, '\0');
  while (true) {
    const ssize_t got = ::recv(control.get(), content.data(), content.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    const std::string_view bytes = std::string_view(content).substr(0, static_cast<size_t>(got));
    if (!Send(control, TypeOf(database.get(), bytes))) return 0;
  }
}

}  // namespace cay::sandbox
