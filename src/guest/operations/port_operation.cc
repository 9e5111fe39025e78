#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>

#include "guest/operations/connection.h"
#include "guest/operations/file_operations.h"
#include "guest/operations/server.h"
#include "protocol/file_messages.h"

namespace cay::guest {
namespace {

using protocol::FrameType;

constexpr size_t kBufferBytes = 64 * 1024;

// Bytes of one direction. Read only when it is empty: a side that does not take makes the other
// wait.
struct Direction {
  std::string buffer;
  size_t at = 0;
  bool ended = false;   // the source gave its end
  bool closed = false;  // and the sink was told, or takes no more

  bool WantsRead() const { return !closed && !ended && at == buffer.size(); }
  bool WantsWrite() const { return !closed && at < buffer.size(); }

  // As far as neither side has to wait.
  void Pump(int source, int sink) {
    if (WantsRead()) Read(source);
    while (WantsWrite()) {
      const ssize_t sent =
          ::send(sink, buffer.data() + at, buffer.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) {
        closed = true;
        return;
      }
      at += static_cast<size_t>(sent);
    }
    if (ended && !closed) {
      ::shutdown(sink, SHUT_WR);
      closed = true;
    }
  }

 private:
  void Read(int source) {
    buffer.resize(kBufferBytes);
    const ssize_t got = ::recv(source, buffer.data(), buffer.size(), MSG_DONTWAIT);
    at = 0;
    buffer.resize(got > 0 ? static_cast<size_t>(got) : 0);
    // A connection that was reset has ended like any other: the peer is told by shutdown.
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) ended = true;
  }
};

// One descriptor in the event loop. A hangup is reported without end, wanted or not: once it was,
// the descriptor is in the loop only while something is wanted of it.
class Side final : public EventLoop::Handler {
 public:
  Side(EventLoop& loop, std::function<void()> on_ready)
      : loop_(loop), on_ready_(std::move(on_ready)) {}
  ~Side() override { Drop(); }

  // `watched`: it is in the loop already, with this as its handler and no events.
  void Use(int fd, bool watched) {
    fd_ = fd;
    watched_ = watched;
    wanted_ = 0;
    hung_up_ = false;
  }
  int fd() const { return fd_; }
  bool hung_up() const { return hung_up_; }

  void Want(bool read, bool write) {
    const uint32_t events = (read ? static_cast<uint32_t>(EPOLLIN) : 0U) |
                            (write ? static_cast<uint32_t>(EPOLLOUT) : 0U);
    if (events == 0 && hung_up_) {
      Drop();
    } else if (!watched_) {
      watched_ = loop_.Watch(fd_, events, *this).has_value();
    } else if (events != wanted_) {
      loop_.Change(fd_, events);
    }
    wanted_ = events;
  }

  void Drop() {
    if (watched_) loop_.Forget(fd_);
    watched_ = false;
  }

  void OnReady(uint32_t events) override {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
    on_ready_();
  }

 private:
  EventLoop& loop_;
  std::function<void()> on_ready_;
  int fd_ = -1;
  uint32_t wanted_ = 0;
  bool watched_ = false;
  bool hung_up_ = false;
};

class PortOperation final : public Operation {
 public:
  PortOperation(Guest& guest, Connection& connection, uint16_t port)
      : connection_(connection),
        port_(port),
        inside_(guest.loop, [this] { OnInside(); }),
        outside_(guest.loop, [this] { Relay(); }) {}

  Result<void> Begin() { return Connect(AF_INET); }

  // Only what was sent before kConnected could be read as one.
  Result<void> OnFrame(const protocol::Frame& /*frame*/) override {
    return Failure(
        Error(ErrorCode::kProtocol, Fault::kCaller, "a frame before the port was connected"));
  }
  bool WantsFrames() const override { return state_ == State::kConnecting; }
  // When kConnected has left, the connection becomes raw.
  bool WantsToSend() const override { return state_ == State::kConnected; }
  Result<void> OnRoom() override {
    return connection_.queued() == 0 ? BeginRelay() : Result<void>();
  }

 private:
  enum class State { kConnecting, kConnected, kRelaying };

  Result<void> Connect(int family) {
    family_ = family;
    const int raw = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (raw < 0) return OnConnectFailed(errno);
    inside_.Drop();
    socket_.emplace(Fd::Adopt(raw));
    inside_.Use(raw, false);
    int failed = 0;
    if (family == AF_INET) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port_);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      failed = ::connect(raw, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } else {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(port_);
      address.sin6_addr = IN6ADDR_LOOPBACK_INIT;
      failed = ::connect(raw, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    if (failed < 0 && errno != EINPROGRESS) return OnConnectFailed(errno);
    inside_.Want(false, true);
    return {};
  }

  Result<void> OnConnectFailed(int why) {
    if (family_ == AF_INET) return Connect(AF_INET6);
    // Without IPv6 the second failure says nothing about the port.
    const bool refused =
        why == ECONNREFUSED || why == EAFNOSUPPORT || why == EADDRNOTAVAIL || why == ENETUNREACH;
    if (!refused)
      return Failure(Error::FromErrno("connecting to port " + std::to_string(port_), why));
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller,
                         "nothing listens on port " + std::to_string(port_) + " in the sandbox"));
  }

  void OnInside() {
    if (state_ == State::kRelaying) Relay();
    if (state_ != State::kConnecting) return;
    if (const Result<void> done = OnConnecting(); !done) {
      inside_.Drop();
      connection_.Fail(done.error());
      return;
    }
    connection_.Update();
  }

  Result<void> OnConnecting() {
    int why = 0;
    socklen_t length = sizeof why;
    if (::getsockopt(inside_.fd(), SOL_SOCKET, SO_ERROR, &why, &length) < 0) why = errno;
    if (why != 0) return OnConnectFailed(why);
    inside_.Want(false, false);
    state_ = State::kConnected;
    connection_.Send(FrameType::kConnected, {});
    return {};
  }

  Result<void> BeginRelay() {
    Connection::Raw raw = TRY(connection_.EnterRaw(outside_));
    outside_.Use(raw.socket, true);
    in_.buffer = std::move(raw.early);
    state_ = State::kRelaying;
    Relay();
    return {};
  }

  void Relay() {
    // Who has hung up takes nothing more; what he sent before is still passed on.
    if (outside_.hung_up()) out_.closed = true;
    if (inside_.hung_up()) in_.closed = true;
    in_.Pump(outside_.fd(), inside_.fd());
    out_.Pump(inside_.fd(), outside_.fd());
    if (in_.closed && out_.closed) {
      inside_.Drop();
      outside_.Drop();
      connection_.Finish();
      return;
    }
    outside_.Want(in_.WantsRead(), out_.WantsWrite());
    inside_.Want(out_.WantsRead(), in_.WantsWrite());
  }

  Connection& connection_;
  uint16_t port_;
  int family_ = AF_INET;
  State state_ = State::kConnecting;
  std::optional<Fd> socket_;  // before the side that watches it: forgotten first, closed last
  Side inside_;
  Side outside_;
  Direction in_;  // from the host to the port
  Direction out_;
};

}  // namespace

Opened OpenConnectPort(Guest& guest, Connection& connection, std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ConnectPortRequest>(payload));
  if (request.port == 0) return Failure(Error::Invalid("port 0 is no port"));
  auto operation = std::make_unique<PortOperation>(guest, connection, request.port);
  TRY(operation->Begin());
  return operation;
}

}  // namespace cay::guest
