#include "network/relay/relay_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/os/log.h"
#include "base/os/process_title.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "network/relay/confine.h"
#include "network/relay/relay.h"
#include "protocol/message_codec.h"

namespace cay::network {
namespace {

constexpr int kControlFd = 3;
constexpr int kForkedCacheFd = 4;

Result<void> Serve(Fd control, std::optional<Door> door, std::optional<Fd> cache) {
  auto relay = TRY(Relay::Create(std::move(control), std::move(door), std::move(cache)));
  return relay->Run();
}

int ServeRelay(Fd control, std::optional<Door> door, std::optional<Fd> cache) {
  BecomeNamed("cay-net");
  // A ^C at the terminal is for the sandbox's caller; a relay ends when its controller does. One
  // that outlives it has no terminal, and ends when the machine does: by SIGTERM.
  for (const int ignored : {SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  ::signal(SIGTERM, door ? SIG_DFL : SIG_IGN);
  if (const auto confined = ConfineRelay(cache); !confined) {
    (void)ipc::SendPacket(control, static_cast<uint8_t>(MessageType::kFailed),
                          ipc::EncodeError(confined.error()));
    return 1;
  }
  const auto served = Serve(std::move(control), std::move(door), std::move(cache));
  if (!served) LogError("the network relay stops: " + served.error().message());
  return served ? 0 : 1;
}

// What it is sent before all else: what it has beside its control socket.
struct Belongings {
  std::optional<Door> door{};
  std::optional<Fd> cache{};
};

struct BelongingsNote {
  bool door = false;
  bool cache = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.door);
    codec.Field(2, self.cache);
  }
};

Result<Belongings> ReceiveBelongings(const Fd& control) {
  auto packet = TRY(ipc::ReceivePacket(control));
  if (!packet || packet->type != static_cast<uint8_t>(MessageType::kDoor))
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no word of a door"));
  const auto note = TRY(protocol::Decode<BelongingsNote>(packet->body));
  if (packet->fds.size() != (note.door ? 2U : 0U) + (note.cache ? 1U : 0U))
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "not a door"));
  Belongings belongings;
  if (note.cache) {
    belongings.cache = std::move(packet->fds.back());
    packet->fds.pop_back();
  }
  if (note.door) {
    belongings.door = Door{.socket = std::move(packet->fds[0]),
                           .name = std::move(packet->fds[1]),
                           .owner = ::geteuid()};
  }
  return belongings;
}

Result<void> SendBelongings(const Fd& control, const std::optional<Door>& door,
                            const std::optional<Fd>& cache) {
  std::vector<const Fd*> fds;
  if (door) fds = {&door->socket, &door->name};
  if (cache) fds.push_back(&*cache);
  return ipc::SendPacket(
      control, static_cast<uint8_t>(MessageType::kDoor),
      protocol::Encode(BelongingsNote{.door = door.has_value(), .cache = cache.has_value()}), fds);
}

// While it may still do so: its uid, session, directory and signals are its controller's.
Result<void> SettleIn(const Door& door) {
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) < 0)
    return Failure(Error::FromErrno("sigprocmask"));
  if (::setsid() < 0) return Failure(Error::FromErrno("setsid"));
  if (::chdir("/") < 0) return Failure(Error::FromErrno("chdir"));
  return Listen(door);
}

// Who reads that pipe to its end would wait for the relay.
bool IsPipe(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode);
}

[[noreturn]] void RunFork(int control, int cache) {
  // Out of the way of the numbers that they get.
  control = ::fcntl(control, F_DUPFD_CLOEXEC, kForkedCacheFd + 1);
  if (cache >= 0) cache = ::fcntl(cache, F_DUPFD_CLOEXEC, kForkedCacheFd + 1);
  if (::dup3(control, kControlFd, O_CLOEXEC) < 0) ::_exit(1);
  const bool has_cache = cache >= 0 && ::dup3(cache, kForkedCacheFd, O_CLOEXEC) >= 0;
  ::close_range(has_cache ? kForkedCacheFd + 1 : kControlFd + 1, ~0U, 0);
  std::optional<Fd> directory;
  if (has_cache) directory = Fd::Adopt(kForkedCacheFd);
  ::_exit(ServeRelay(Fd::Adopt(kControlFd), std::nullopt, std::move(directory)));
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

Result<RelayProcess> SpawnRelay(std::optional<Door> door, std::optional<Fd> cache) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  TRY(SendBelongings(pair.first, door, cache));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pair.second.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (door && IsPipe(STDERR_FILENO))
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
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
  return RelayProcess{.control = std::move(pair.first), .pidfd = *std::move(pidfd), .pid = pid};
}

int ServeSpawnedRelay(Fd control) {
  auto has = ReceiveBelongings(control);
  const Result<void> settled = !has        ? Failure(has.error())
                               : has->door ? SettleIn(*has->door)
                                           : Result<void>();
  if (!settled) {
    (void)ipc::SendPacket(control, static_cast<uint8_t>(MessageType::kFailed),
                          ipc::EncodeError(settled.error()));
    return 1;
  }
  return ServeRelay(std::move(control), std::move(has->door), std::move(has->cache));
}

}  // namespace cay::network
