#include "engine/native/janitor.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/native/packet.h"

namespace cay::engine::native {
namespace {

constexpr int kSocketFd = 3;

// Everything else goes: the copies of the launcher's locks, above all.
[[noreturn]] void RunJanitor(int socket) {
  if (::dup2(socket, kSocketFd) < 0) ::_exit(1);
  ::close_range(kSocketFd + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, "cay-janitor", 0, 0, 0);
  // A ^C at the terminal is for the sandbox's caller; the janitor's work comes after it.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(ignored, SIG_IGN);
  const Fd owned = Fd::Adopt(kSocketFd);
  while (true) {
    const auto packet = ReceivePacket(owned);  // with the descriptors, which are then closed
    if (!packet || !*packet) ::_exit(0);
  }
}

}  // namespace

Result<bool> Janitor::Start() {
  if (socket_) return false;
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const pid_t pid = ::fork();
  if (pid < 0) return Failure(Error::FromErrno("starting the janitor"));
  if (pid == 0) RunJanitor(pair.second.get());
  socket_ = std::move(pair.first);
  return true;
}

void Janitor::LetGo(Fd mount) {
  if (!Start()) return;  // closed here
  if (!SendPacket(*socket_, PacketType::kLetGo, {}, {&mount})) socket_.reset();
}

}  // namespace cay::engine::native
