// ProxyDialer: one TCP connection that a proxy makes: dialled to the proxy, and asked for.
//
//   ProxyDialer dialer(loop, deadlines, proxy, its_addresses, "example.com", 443, done);
//   dialer.Start();
//
// `done` as of a Dialer; the address that it tells is the proxy's. What the other end sent together
// with the proxy's answer is still in the socket. At most kPatience passes until then, and as much
// again where the proxy's addresses do not answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "network/transfer/deadlines.h"
#include "network/transfer/dialer.h"
#include "network/transfer/proxy_talk.h"

namespace cay::network {

class ProxyDialer {
 public:
  static constexpr Millis kPatience{10'000};  // with a proxy that was connected to

  // `proxy` outlives it.
  ProxyDialer(EventLoop& loop, Deadlines& deadlines, const Proxy& proxy,
              const std::vector<Address>& its_addresses, std::string_view host, uint16_t port,
              Dialer::Done done);
  ~ProxyDialer();
  void Start();
  ProxyDialer(const ProxyDialer&) = delete;
  ProxyDialer& operator=(const ProxyDialer&) = delete;

 private:
  class Waiter;  // for the proxy's socket

  void Reached(Result<Dialer::Dialled> dialled);
  void OnReady();
  Result<bool> Go();
  Result<bool> Hear();
  void Finish(Result<Dialer::Dialled> dialled);
  void LetGo();

  EventLoop& loop_;
  const std::string proxy_text_;
  ProxyTalk talk_;
  Dialer::Done done_;
  std::optional<Dialer> dialer_;
  std::optional<Dialer::Dialled> reached_;
  std::unique_ptr<Waiter> waiter_;
  Deadline patience_;
};

}  // namespace cay::network
