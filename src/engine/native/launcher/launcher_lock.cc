#include "engine/native/launcher/launcher_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "base/units.h"

namespace cay::engine::native {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than a launcher takes to give back what was destroyed when its server died.
constexpr Millis kEndPatience(5000);
constexpr Millis kDeathPatience(5000);
constexpr Millis kPause(5);

struct flock WholeFile() {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

// True when it could be locked.
Result<bool> TryLock(const Fd& file) {
  struct flock whole = WholeFile();
  if (::fcntl(file.get(), F_SETLK, &whole) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return Failure(Error::FromErrno("locking the launcher's lock"));
}

Result<bool> LockWithin(const Fd& file, Millis patience) {
  const auto deadline = Clock::now() + patience;
  while (true) {
    if (TRY(TryLock(file))) return true;
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
}

// Nothing when nobody has it, or who has it is in another pid namespace.
std::optional<pid_t> Holder(const Fd& file) {
  struct flock whole = WholeFile();
  if (::fcntl(file.get(), F_GETLK, &whole) < 0 || whole.l_type == F_UNLCK || whole.l_pid <= 0) {
    return std::nullopt;
  }
  return whole.l_pid;
}

Result<void> KillHolder(const Fd& file) {
  const auto holder = Holder(file);
  if (!holder) return {};
  const auto pidfd = sys::PidfdOpen(*holder);
  // Held by the same one once its pidfd is held: its number was not given to another meanwhile.
  if (!pidfd || Holder(file) != holder) return {};
  LogWarning("the launcher of a server that is gone does not end: killing process " +
             std::to_string(*holder));
  TRY(sys::PidfdSendSignal(*pidfd, SIGKILL));
  pollfd poller{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
  (void)::poll(&poller, 1, static_cast<int>(kDeathPatience.count()));
  return {};
}

}  // namespace

Result<LauncherLock> LauncherLock::Take(const std::string& state_dir) {
  const std::string path = state_dir + "/launcher.lock";
  Fd file =
      TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (TRY(LockWithin(file, kEndPatience))) return LauncherLock(std::move(file));
  TRY(KillHolder(file));
  if (TRY(LockWithin(file, kEndPatience))) return LauncherLock(std::move(file));
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the launcher of an earlier server has the sandboxes, and does not end")
                     .WithRemedy("it hangs in the kernel, most often on a disk: see dmesg"));
}

}  // namespace cay::engine::native
