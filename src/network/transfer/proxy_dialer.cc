#include "network/transfer/proxy_dialer.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace cay::network {

class ProxyDialer::Waiter final : public EventLoop::Handler {
 public:
  explicit Waiter(ProxyDialer& owner) : owner_(owner) {}
  void OnReady(uint32_t /*events*/) override { owner_.OnReady(); }

 private:
  ProxyDialer& owner_;
};

ProxyDialer::ProxyDialer(EventLoop& loop, Deadlines& deadlines, const Proxy& proxy,
                         const std::vector<Address>& its_addresses, std::string_view host,
                         uint16_t port, Dialer::Done done)
    : loop_(loop),
      proxy_text_("through " + proxy.Text()),
      talk_(proxy, host, port),
      done_(std::move(done)),
      patience_(deadlines, [this] {
        Finish(Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                             "the proxy did not connect within " + FormatDuration(kPatience))));
      }) {
  dialer_.emplace(loop, deadlines, its_addresses, proxy.port,
                  [this](Result<Dialer::Dialled> dialled) { Reached(std::move(dialled)); });
}

ProxyDialer::~ProxyDialer() { LetGo(); }

void ProxyDialer::Start() { dialer_->Start(); }

void ProxyDialer::LetGo() {
  if (reached_) loop_.Forget(reached_->socket.get());
  reached_.reset();
  if (waiter_) loop_.Dispose(std::move(waiter_));  // it may be what runs at this moment
}

void ProxyDialer::Reached(Result<Dialer::Dialled> dialled) {
  if (!dialled) return Finish(std::move(dialled));
  reached_ = *std::move(dialled);
  waiter_ = std::make_unique<Waiter>(*this);
  if (auto watched = loop_.Watch(reached_->socket.get(), EPOLLIN | EPOLLOUT, *waiter_); !watched)
    return Finish(Failure(std::move(watched).error()));
  patience_.Set(kPatience);
}

void ProxyDialer::OnReady() {
  const Result<bool> connected = Go();
  if (!connected) return Finish(Failure(connected.error()));
  if (!*connected) return;
  loop_.Forget(reached_->socket.get());
  Finish(*std::exchange(reached_, std::nullopt));
}

// As far as the socket goes on now. True: the proxy has connected.
Result<bool> ProxyDialer::Go() {
  while (!talk_.done()) {
    if (talk_.unsent().empty()) {
      if (!TRY(Hear())) return false;
      continue;
    }
    const std::string_view text = talk_.unsent();
    const ssize_t sent = ::send(reached_->socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      loop_.Change(reached_->socket.get(), EPOLLOUT);
      return false;
    }
    if (sent < 0) return Failure(Error::FromErrno("asking the proxy"));
    talk_.Sent(static_cast<size_t>(sent));
  }
  return true;
}

// What is not the proxy's is looked at, and left there. False: there is nothing now.
Result<bool> ProxyDialer::Hear() {
  std::array<char, ProxyTalk::kMaxHead> space;
  const int socket = reached_->socket.get();
  const ssize_t got = ::recv(socket, space.data(), space.size(), MSG_PEEK);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) {
    loop_.Change(socket, EPOLLIN);
    return false;
  }
  if (got < 0) return Failure(Error::FromErrno("hearing the proxy"));
  if (got == 0) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kMachine, "the proxy hung up instead of answering"));
  }
  const size_t own = TRY(talk_.Read({space.data(), static_cast<size_t>(got)}));
  for (size_t taken = 0; taken < own;) {
    const ssize_t more = ::recv(socket, space.data(), own - taken, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return Failure(Error::FromErrno("hearing the proxy", more < 0 ? errno : EPIPE));
    taken += static_cast<size_t>(more);
  }
  return true;
}

void ProxyDialer::Finish(Result<Dialer::Dialled> dialled) {
  patience_.Clear();
  LetGo();
  if (!dialled) dialled = Failure(std::move(dialled).error().WithContext(proxy_text_));
  // It may destroy this object.
  const Dialer::Done done = std::move(done_);
  done(std::move(dialled));
}

}  // namespace cay::network
