#include "engine/native/launcher_link.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "engine/native/launcher/launcher_protocol.h"
#include "engine/native/launcher/launcher_server.h"
#include "engine/native/record/request.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

using protocol::CborReader;
using protocol::CborWriter;

// So often a patience that is lowered meanwhile is looked at.
constexpr Millis kLook(500);
// A launcher that opens may have to wait for an earlier one to end (launcher_lock.h).
constexpr Millis kOpenPatience(20'000);

Error LauncherGone() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the launcher is gone")
      .WithRemedy("its ephemeral sandboxes have ended; clean up with: cay gc");
}

// Whether it polls readable in time.
bool IsReadable(const Fd& fd, Millis patience) {
  pollfd poller{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, static_cast<int>(std::max<int64_t>(patience.count(), 0))) > 0;
}

// No descriptor but 0, the control socket, and 2, for what it has to say. Standard output is the
// sandbox's alone.
bool ArrangeDescriptors(int control) {
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  return null >= 0 && ::dup2(null, STDOUT_FILENO) >= 0 && ::dup2(control, STDIN_FILENO) >= 0;
}

// In the child of vfork: only what is safe there. An empty environment.
[[noreturn]] void ExecLauncher(const char* path, int control) {
  std::array<char*, 3> argv = {const_cast<char*>("cay"), const_cast<char*>("launcher"), nullptr};
  std::array<char*, 1> envp = {nullptr};
  if (!ArrangeDescriptors(control)) ::_exit(125);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(path, argv.data(), envp.data());
  ::_exit(125);
}

// In the child of fork. In a session of its own: whoever ends our process group is not to keep it
// from giving back.
[[noreturn]] void RunLauncher(GuestMain guest, int control) {
  if (!ArrangeDescriptors(control) || ::setsid() < 0) ::_exit(125);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::_exit(ServeLauncher(Fd::Adopt(STDIN_FILENO), guest));
}

pid_t ForkLauncher(GuestMain guest, int control) {
  const pid_t pid = ::fork();
  if (pid == 0) RunLauncher(guest, control);
  return pid;
}

// A function of its own: what the caller has in registers is not to be changed by the child.
[[gnu::noinline]] pid_t VforkLauncher(const char* path, int control) {
  // NOLINTNEXTLINE(bugprone-unsafe-functions): posix_spawn(3) cannot close a range of descriptors
  const pid_t pid = ::vfork();
  if (pid == 0) ExecLauncher(path, control);
  return pid;
}

}  // namespace

Result<std::unique_ptr<LauncherLink>> LauncherLink::Start(const NativeEngineOptions& options,
                                                          Share share, const Patience& patience) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const char* path = options.launcher_path.c_str();
  const int control = pair.second.get();
  const pid_t pid = options.fork_with_guest != nullptr
                        ? ForkLauncher(options.fork_with_guest, control)
                        : VforkLauncher(path, control);
  if (pid < 0) return Failure(Error::FromErrno("starting the launcher"));
  // The end of a pid namespace's first process is the end of all (pid_namespaces(7)).
  const bool awaited = options.fork_with_guest == nullptr || ::getpid() == 1;
  std::unique_ptr<LauncherLink> link(
      new LauncherLink(pid, std::move(pair.first), awaited, patience));
  CborWriter hello;
  hello.Bytes(options.paths.state_dir)
      .Bytes(options.paths.run_dir)
      .Unsigned(options.netns_pool)
      .Bool(options.one_shot)
      .Bool(options.sole)
      .Unsigned(share.of)
      .Unsigned(share.number)
      .Unsigned(static_cast<uint64_t>(CurrentLogLevel()))
      .Unsigned(static_cast<uint64_t>(CurrentLogFormat()))
      .Bool(options.disk_ahead.has_value());
  if (options.disk_ahead) hello.Bytes(EncodeLimits(*options.disk_ahead));
  TRY(SendPacket(link->control_, PacketType::kRequest, hello.text()));
  return link;
}

void LauncherLink::HangUp() {
  if (hung_up_) return;
  hung_up_ = std::chrono::steady_clock::now();
  ::shutdown(control_.get(), SHUT_RDWR);
}

LauncherLink::~LauncherLink() {
  HangUp();
  if (!awaited_) return;
  while (!AwaitChild(launcher_, kLook)) {
    if (std::chrono::steady_clock::now() - *hung_up_ < Millis(patience_.load())) continue;
    if (!KillAndReap(launcher_))
      LogWarning("launcher " + std::to_string(launcher_) + " hangs in the kernel: left behind");
    return;
  }
}

Error LauncherLink::Hung() {
  ::kill(launcher_, SIGKILL);
  broken_ = true;
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the launcher did not answer within " + FormatDuration(Millis(patience_.load())) +
                   " and was ended")
      .WithRemedy("try again: the next request starts another launcher");
}

Result<void> LauncherLink::AwaitAnswer(Millis at_least) {
  const auto asked = std::chrono::steady_clock::now();
  while (!IsReadable(control_, kLook)) {
    if (std::chrono::steady_clock::now() - asked >= std::max(Millis(patience_.load()), at_least))
      return Failure(Hung());
  }
  return {};
}

Result<Packet> LauncherLink::Receive(Millis at_least) {
  TRY(AwaitAnswer(at_least));
  auto packet = ReceivePacket(control_);
  if (!packet && packet.error().sys_errno() == EMFILE) return Failure(packet.error());
  if (!packet || !*packet) {
    broken_ = true;
    return Failure(packet || packet.error().sys_errno() == ECONNRESET ? LauncherGone()
                                                                      : packet.error());
  }
  Packet& got = **packet;
  if (got.type == PacketType::kFailed) return Failure(DecodeError(got.body));
  CborReader reader(got.body);
  if (auto ok = reader.Bool(); !ok) {
    broken_ = true;
    return Failure(ok.error());
  }
  got.body.erase(0, 1);
  return std::move(got);
}

Result<Packet> LauncherLink::Ask(std::string_view request) {
  const auto sent = SendPacket(control_, PacketType::kRequest, request);
  // The launcher greets when it is open, or says why it cannot be; the first request need not wait
  // for that.
  if (!greeted_) {
    if (auto greeting = Receive(kOpenPatience); !greeting) {
      broken_ = true;
      return Failure(greeting.error());
    }
    greeted_ = true;
  }
  if (sent) return Receive();
  if (sent.error().sys_errno() != EPIPE && sent.error().sys_errno() != ECONNRESET) {
    return Failure(sent.error());
  }
  broken_ = unsent_ = true;
  return Failure(LauncherGone());
}

}  // namespace cay::engine::native
