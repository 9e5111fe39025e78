#include "engine/native/launcher/launcher_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

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

// Some bytes of the file, for one launcher alone or for all of a server's together.
struct Part {
  off_t start = 0;
  off_t length = 0;  // 0: to the end, wherever that is
  short type = F_WRLCK;
};

struct flock LockOf(const Part& part) {
  struct flock lock{};
  lock.l_type = part.type;
  lock.l_whence = SEEK_SET;
  lock.l_start = part.start;
  lock.l_len = part.length;
  return lock;
}

std::vector<Part> PartsOf(Share share) {
  if (share.of == 1) return {{}};
  constexpr auto kPlace = static_cast<off_t>(kMaxLaunchers);
  const off_t place = static_cast<off_t>(share.of) * kPlace;
  return {{.start = 0, .length = place, .type = F_RDLCK},
          {.start = place + kPlace, .type = F_RDLCK},
          {.start = place + static_cast<off_t>(share.number), .length = 1}};
}

// True when it could be locked.
Result<bool> TryLock(const Fd& file, const Part& part) {
  struct flock lock = LockOf(part);
  if (::fcntl(file.get(), F_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return Failure(Error::FromErrno("locking the launcher's lock"));
}

Result<bool> LockWithin(const Fd& file, const Part& part, Clock::time_point deadline) {
  while (true) {
    if (TRY(TryLock(file, part))) return true;
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
}

// Nothing when nobody has it, or who has it is in another pid namespace.
std::optional<pid_t> Holder(const Fd& file, const Part& part) {
  struct flock lock = LockOf(part);
  if (::fcntl(file.get(), F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0) {
    return std::nullopt;
  }
  return lock.l_pid;
}

Result<void> KillHolder(const Fd& file, const Part& part) {
  const auto holder = Holder(file, part);
  if (!holder) return {};
  const auto pidfd = sys::PidfdOpen(*holder);
  // Held by the same one once its pidfd is held: its number was not given to another meanwhile.
  if (!pidfd || Holder(file, part) != holder) return {};
  LogWarning("the launcher of a server that is gone does not end: killing process " +
             std::to_string(*holder));
  TRY(sys::PidfdSendSignal(*pidfd, SIGKILL));
  pollfd poller{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
  (void)::poll(&poller, 1, static_cast<int>(kDeathPatience.count()));
  return {};
}

// As many as a server may have had.
Result<bool> LockByForce(const Fd& file, const Part& part) {
  const auto deadline = Clock::now() + kDeathPatience;
  for (size_t killed = 0; killed < kMaxLaunchers && Clock::now() < deadline; ++killed) {
    TRY(KillHolder(file, part));
    if (TRY(TryLock(file, part))) return true;
  }
  return LockWithin(file, part, deadline);
}

}  // namespace

Result<LauncherLock> LauncherLock::Take(const std::string& state_dir, Share share) {
  const std::string path = state_dir + "/launcher.lock";
  Fd file =
      TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto deadline = Clock::now() + kEndPatience;
  for (const Part& part : PartsOf(share)) {
    if (TRY(LockWithin(file, part, deadline)) || TRY(LockByForce(file, part))) continue;
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the launcher of an earlier server has the sandboxes, and does not end")
                       .WithRemedy("it hangs in the kernel, most often on a disk: see dmesg"));
  }
  return LauncherLock(std::move(file));
}

}  // namespace cay::engine::native
