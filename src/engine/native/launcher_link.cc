#include "engine/native/launcher_link.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "engine/native/launcher_protocol.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

using protocol::CborReader;
using protocol::CborWriter;

Error LauncherGone() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine, "the launcher is gone")
      .WithRemedy("its ephemeral sandboxes have ended; clean up with: cay gc");
}

// In the child of vfork: only what is safe there. An empty environment, and no descriptor but 0
// to 2.
[[noreturn]] void ExecLauncher(const char* path, int control) {
  std::array<char*, 3> argv = {const_cast<char*>("cay"), const_cast<char*>("launcher"), nullptr};
  std::array<char*, 1> envp = {nullptr};
  if (::dup2(control, STDIN_FILENO) < 0) ::_exit(125);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(path, argv.data(), envp.data());
  ::_exit(125);
}

}  // namespace

Result<std::unique_ptr<LauncherLink>> LauncherLink::Start(const NativeEngineOptions& options) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const char* path = options.launcher_path.c_str();
  const int control = pair.second.get();
  const pid_t pid = ::vfork();
  if (pid < 0) return Failure(Error::FromErrno("starting the launcher"));
  if (pid == 0) ExecLauncher(path, control);
  std::unique_ptr<LauncherLink> link(new LauncherLink(pid, std::move(pair.first)));
  CborWriter hello;
  hello.Bytes(options.paths.state_dir)
      .Bytes(options.paths.run_dir)
      .Unsigned(options.netns_pool)
      .Bool(!options.one_shot);
  TRY(SendPacket(link->control_, PacketType::kRequest, hello.text()));
  return link;
}

LauncherLink::~LauncherLink() {
  ::shutdown(control_.get(), SHUT_RDWR);
  while (::waitpid(launcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<Packet> LauncherLink::Receive() {
  auto packet = ReceivePacket(control_);
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
    if (auto greeting = Receive(); !greeting) {
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
