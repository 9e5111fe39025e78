#include "network/relay/relay_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/os/log.h"
#include "base/os/process_title.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "network/relay/confine.h"
#include "network/relay/relay.h"

namespace cay::network {
namespace {

constexpr int kControlFd = 3;
constexpr int kForkedCacheFd = 4;
constexpr int kSpawnedCacheFd = 3;

[[noreturn]] void RunFork(int control, int cache) {
  // Out of the way of the numbers that they get.
  control = ::fcntl(control, F_DUPFD_CLOEXEC, kForkedCacheFd + 1);
  if (cache >= 0) cache = ::fcntl(cache, F_DUPFD_CLOEXEC, kForkedCacheFd + 1);
  if (::dup3(control, kControlFd, O_CLOEXEC) < 0) ::_exit(1);
  const bool has_cache = cache >= 0 && ::dup3(cache, kForkedCacheFd, O_CLOEXEC) >= 0;
  ::close_range(has_cache ? kForkedCacheFd + 1 : kControlFd + 1, ~0U, 0);
  std::optional<Fd> directory;
  if (has_cache) directory = Fd::Adopt(kForkedCacheFd);
  ::_exit(ServeRelay(Fd::Adopt(kControlFd), std::move(directory)));
}

}  // namespace

Result<Fd> ForkRelay(const std::optional<Fd>& cache) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const pid_t pid = ::fork();
  if (pid < 0) return Failure(Error::FromErrno("starting the network relay"));
  if (pid == 0) RunFork(pair.second.get(), cache ? cache->get() : -1);
  ReapLater(pid);
  return std::move(pair.first);
}

Result<RelayProcess> SpawnRelay(const std::optional<Fd>& cache) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pair.second.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (cache) ::posix_spawn_file_actions_adddup2(&actions, cache->get(), kSpawnedCacheFd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kSpawnedCacheFd + (cache ? 1 : 0));
  std::array<char*, 4> argv = {const_cast<char*>("cay"), const_cast<char*>(kRelayCommand),
                               cache ? const_cast<char*>(kRelayHasCache) : nullptr, nullptr};
  std::array<char*, 1> envp = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Failure(Error::FromErrno("starting the network relay", error));
  auto pidfd = sys::PidfdOpen(pid);
  ReapLater(pid);
  if (!pidfd) return Failure(std::move(pidfd).error());  // it ends with its socket
  return RelayProcess{.control = std::move(pair.first), .pidfd = *std::move(pidfd)};
}

int ServeSpawnedRelay(std::span<char* const> arguments) {
  std::optional<Fd> cache;
  if (!arguments.empty() && std::string_view(arguments.front()) == kRelayHasCache)
    cache = Fd::Adopt(kSpawnedCacheFd);
  return ServeRelay(Fd::Adopt(STDIN_FILENO), std::move(cache));
}

int ServeRelay(Fd control, std::optional<Fd> cache) {
  BecomeNamed("cay-net");
  // A ^C at the terminal is for the sandbox's caller; a relay ends when its controller does.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  if (const auto confined = ConfineRelay(cache); !confined) {
    (void)ipc::SendPacket(control, static_cast<uint8_t>(MessageType::kFailed),
                          ipc::EncodeError(confined.error()));
    return 1;
  }
  auto relay = Relay::Create(std::move(control), std::move(cache));
  const Result<void> served = relay ? (*relay)->Run() : Failure(relay.error());
  if (!served) LogError("the network relay stops: " + served.error().message());
  return served ? 0 : 1;
}

}  // namespace cay::network
