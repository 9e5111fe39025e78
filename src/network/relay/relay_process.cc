#include "network/relay/relay_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/os/log.h"
#include "base/os/process_title.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "network/relay/confine.h"
#include "network/relay/relay.h"

namespace cay::network {
namespace {

constexpr int kControlFd = 3;

[[noreturn]] void RunFork(int control) {
  if (::dup2(control, kControlFd) < 0) ::_exit(1);
  ::close_range(kControlFd + 1, ~0U, 0);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  ::_exit(ServeRelay(Fd::Adopt(kControlFd)));
}

}  // namespace

Result<Fd> ForkRelay() {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const pid_t pid = ::fork();
  if (pid < 0) return Failure(Error::FromErrno("starting the network relay"));
  if (pid == 0) RunFork(pair.second.get());
  ReapLater(pid);
  return std::move(pair.first);
}

Result<RelayProcess> SpawnRelay() {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pair.second.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  std::array<char*, 3> argv = {const_cast<char*>("cay"), const_cast<char*>(kRelayCommand), nullptr};
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

int ServeRelay(Fd control) {
  BecomeNamed("cay-net");
  // A ^C at the terminal is for the sandbox's caller; a relay ends when its controller does.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  if (const auto confined = ConfineRelay(); !confined) {
    (void)ipc::SendPacket(control, static_cast<uint8_t>(MessageType::kFailed),
                          ipc::EncodeError(confined.error()));
    return 1;
  }
  auto relay = Relay::Create(std::move(control));
  const Result<void> served = relay ? (*relay)->Run() : Failure(relay.error());
  if (!served) LogError("the network relay stops: " + served.error().message());
  return served ? 0 : 1;
}

}  // namespace cay::network
