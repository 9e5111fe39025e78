#include "network/link/control_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/ipc/unix_socket.h"
#include "base/os/log.h"

namespace cay::network {

ControlSocket::ControlSocket(EventLoop& loop, Fd control, std::optional<Door> door, Users users)
    : loop_(loop), control_(std::move(control)), door_(std::move(door)), users_(std::move(users)) {}

ControlSocket::~ControlSocket() {
  if (control_) {
    loop_.Forget(control_->get());
  } else if (door_) {
    loop_.Forget(door_->socket.get());
  }
}

Result<void> ControlSocket::Begin() {
  TRY(SetNonBlocking(*control_, true));
  return loop_.Watch(control_->get(), EPOLLIN, *this);
}

Result<void> ControlSocket::Send(MessageType type, std::string_view body,
                                 const std::vector<const Fd*>& fds) {
  if (!control_) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the server is not running, and nothing is connected without it"));
  }
  return ipc::SendPacket(*control_, static_cast<uint8_t>(type), body, fds);
}

void ControlSocket::Wait(bool on) {
  if (control_) loop_.Change(control_->get(), on ? 0U : uint32_t{EPOLLIN});
}

void ControlSocket::HangUp() {
  if (control_) ::shutdown(control_->get(), SHUT_RDWR);
}

// Watched is the one or the other.
void ControlSocket::OnReady(uint32_t /*events*/) {
  if (control_) {
    Receive();
  } else {
    LetIn();
  }
}

void ControlSocket::Receive() {
  auto packet = ipc::ReceivePacket(*control_);
  if (!packet && packet.error().sys_errno() == EAGAIN) return;
  if (!packet || !*packet) return Lose();
  users_.received(**packet);
}

void ControlSocket::Lose() {
  loop_.Forget(control_->get());
  control_.reset();
  if (door_) {
    if (const auto watched = loop_.Watch(door_->socket.get(), EPOLLIN, *this); !watched) {
      LogError("the network relay cannot be found any more: " + watched.error().ToString());
      door_.reset();
    }
  }
  users_.lost();
}

Result<void> ControlSocket::Admit(const Fd& socket) const {
  const ucred peer = TRY(PeerOf(socket, "asking who connects to the network relay"));
  if (peer.uid == door_->owner || peer.uid == 0) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "uid " + std::to_string(peer.uid) + " may not control the network relay"));
}

void ControlSocket::LetIn() {
  const int raw = ::accept4(door_->socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (raw < 0) return;
  Fd socket = Fd::Adopt(raw);
  auto admitted = Admit(socket);
  if (admitted) admitted = loop_.Watch(socket.get(), EPOLLIN, *this);
  if (!admitted) {
    LogWarning(admitted.error().ToString());
    return;
  }
  loop_.Forget(door_->socket.get());
  control_ = std::move(socket);
}

}  // namespace cay::network
