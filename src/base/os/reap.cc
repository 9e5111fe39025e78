#include "base/os/reap.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <vector>

#include "base/os/fd.h"
#include "base/os/sys.h"

namespace cay {
namespace {

using Clock = std::chrono::steady_clock;

std::mutex strays_mutex;
std::vector<pid_t>& Strays() {
  static auto* const strays = new std::vector<pid_t>;  // as long as the process
  return *strays;
}

// Nothing when it has not ended yet; an end that somebody else took counts as one.
std::optional<int> Reaped(pid_t child) {
  int status = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(child, &status, WNOHANG);
  } while (got < 0 && errno == EINTR);
  return got == 0 ? std::nullopt : std::optional(status);
}

std::optional<int> ReapWithin(pid_t child, std::chrono::milliseconds patience) {
  if (const auto status = Reaped(child)) return status;
  // A child that is not reaped keeps its number.
  const Result<Fd> pidfd = sys::PidfdOpen(child);
  const Clock::time_point until = Clock::now() + patience;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return Reaped(child);
    pollfd poller{.fd = pidfd ? pidfd->get() : -1, .events = POLLIN, .revents = 0};
    constexpr int kWithoutPidfdMs = 1;  // out of descriptors: look again and again
    ::poll(&poller, 1, pidfd ? static_cast<int>(left) : kWithoutPidfdMs);
    if (const auto status = Reaped(child)) return status;
  }
}

}  // namespace

Result<int> AwaitChild(pid_t child, std::chrono::milliseconds patience) {
  if (const auto status = ReapWithin(child, patience)) return *status;
  return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "a helper process does not end")
                     .WithRemedy("it may hang in the kernel, most often on a disk: see dmesg"));
}

bool KillAndReap(pid_t child, std::chrono::milliseconds patience) {
  ReapStrays();
  ::kill(child, SIGKILL);
  if (ReapWithin(child, patience)) return true;
  ReapLater(child);
  return false;
}

void ReapLater(pid_t child) {
  const std::lock_guard lock(strays_mutex);
  Strays().push_back(child);
}

size_t ReapStrays() {
  const std::lock_guard lock(strays_mutex);
  std::erase_if(Strays(), [](pid_t child) { return Reaped(child).has_value(); });
  return Strays().size();
}

}  // namespace cay
