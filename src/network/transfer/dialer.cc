#include "network/transfer/dialer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cay::network {
namespace {

// A connection whose other end has gone without a word is found out: the sandbox's own keepalives
// are answered by this machine, and never reach it.
void KeepAlive(const Fd& socket) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(socket.get(), level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 120'000);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

std::vector<Address> InTurns(const std::vector<Address>& addresses) {
  std::vector<Address> first;
  std::vector<Address> second;
  for (const Address& address : addresses)
    (address.family() == addresses.front().family() ? first : second).push_back(address);
  std::vector<Address> turns;
  for (size_t i = 0; turns.size() < Dialer::kMaxAddresses; ++i) {
    if (i >= first.size() && i >= second.size()) break;
    if (i < first.size()) turns.push_back(first[i]);
    if (i < second.size() && turns.size() < Dialer::kMaxAddresses) turns.push_back(second[i]);
  }
  return turns;
}

}  // namespace

SocketAddress::SocketAddress(const Address& address, uint16_t port) {
  if (address.family() == Family::kV4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address.v4());
    std::memcpy(&space, &in, sizeof in);
    size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.bytes().data(), address.bytes().size());
    std::memcpy(&space, &in, sizeof in);
    size = sizeof in;
  }
}

Address AddressOf(const sockaddr_storage& space) {
  if (space.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &space, sizeof in);
    return Address::V4(ntohl(in.sin_addr.s_addr));
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &space, sizeof in);
  std::array<uint8_t, Address::kBytes> bytes;
  std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
  return Address::V6(bytes).Unmapped();
}

uint16_t PortOf(const sockaddr_storage& space) {
  sockaddr_in in{};  // which has it at the same place as sockaddr_in6
  std::memcpy(&in, &space, sizeof in);
  return ntohs(in.sin_port);
}

class Dialer::Attempt final : public EventLoop::Handler {
 public:
  Attempt(Dialer& dialer, const Address& address)
      : dialer_(dialer), loop_(dialer.loop_), address_(address) {}
  ~Attempt() override { Close(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // True: it is connected already, as connections within a machine are.
  Result<bool> Begin(uint16_t port) {
    const int family = address_.family() == Family::kV4 ? AF_INET : AF_INET6;
    const int raw = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
    socket_ = Fd::Adopt(raw);
    KeepAlive(*socket_);
    const SocketAddress to(address_, port);
    if (::connect(raw, reinterpret_cast<const sockaddr*>(&to.space), to.size) == 0) return true;
    if (errno != EINPROGRESS) return Failure(Error::FromErrno("connecting to " + address_.Text()));
    TRY(loop_.Watch(raw, EPOLLOUT, *this));
    return false;
  }

  void OnReady(uint32_t /*events*/) override {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_->get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      dialer_.Ended(*this, Failure(Error::FromErrno("connecting to " + address_.Text(), error)));
    } else {
      dialer_.Ended(*this, {});
    }
  }

  void Close() {
    if (socket_) loop_.Forget(socket_->get());
    socket_.reset();
  }

  Dialled Take() {
    loop_.Forget(socket_->get());
    return {*std::exchange(socket_, std::nullopt), address_};
  }

 private:
  Dialer& dialer_;  // not after Close: the dialer may be gone
  EventLoop& loop_;
  const Address address_;
  std::optional<Fd> socket_;
};

Dialer::Dialer(EventLoop& loop, Deadlines& deadlines, const std::vector<Address>& addresses,
               uint16_t port, Done done)
    : loop_(loop),
      addresses_(InTurns(addresses)),
      port_(port),
      done_(std::move(done)),
      stagger_(deadlines, [this] { TryNext(); }),
      patience_(deadlines, [this] {
        Finish(Failure(last_.value_or(Error::FromErrno("connecting", ETIMEDOUT))));
      }) {}

void Dialer::Start() {
  patience_.Set(kPatience);
  TryNext();
}

Dialer::~Dialer() { LetGo(); }

// One of them may be what runs at this moment.
void Dialer::LetGo() {
  for (auto& attempt : attempts_) {
    attempt->Close();
    loop_.Dispose(std::move(attempt));
  }
  attempts_.clear();
}

void Dialer::TryNext() {
  while (next_ < addresses_.size()) {
    auto attempt = std::make_unique<Attempt>(*this, addresses_[next_++]);
    const Result<bool> begun = attempt->Begin(port_);
    if (begun && *begun) return Finish(attempt->Take());
    if (begun) {
      attempts_.push_back(std::move(attempt));
      if (next_ < addresses_.size()) stagger_.Set(kStagger);
      return;
    }
    last_ = begun.error();
  }
  if (attempts_.empty())
    Finish(Failure(last_.value_or(Error::FromErrno("connecting", EADDRNOTAVAIL))));
}

void Dialer::Ended(Attempt& attempt, Result<void> connected) {
  if (connected) {
    Finish(attempt.Take());
    return;
  }
  last_ = std::move(connected).error();
  attempt.Close();
  const auto found = std::ranges::find(attempts_, &attempt, &std::unique_ptr<Attempt>::get);
  loop_.Dispose(std::move(*found));
  attempts_.erase(found);
  stagger_.Clear();
  TryNext();
}

void Dialer::Finish(Result<Dialled> dialled) {
  stagger_.Clear();
  patience_.Clear();
  LetGo();
  // It may destroy this object.
  const Done done = std::move(done_);
  done(std::move(dialled));
}

}  // namespace cay::network
