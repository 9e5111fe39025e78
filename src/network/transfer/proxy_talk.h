// ProxyTalk: what is said to a proxy so that it connects, and what it answers, without the socket:
// CONNECT (RFC 9110, 9.3.6), or SOCKS5 (RFC 1928) with a user name and password where it wants them
// (RFC 1929). Pure.
//
//   ProxyTalk talk(proxy, "example.com", 443);
//   while (!talk.done()) {
//     … talk.unsent() …; talk.Sent(n);
//     consume(TRY(talk.Read(peeked)));          // so many of them are the proxy's
//   }
//
// What follows the proxy's last byte is the other end's already, and is not read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "network/transfer/proxy.h"

namespace cay::network {

class ProxyTalk {
 public:
  static constexpr size_t kMaxHead = 8192;  // of all that an HTTP proxy says
  static constexpr int kMaxInterim = 4;     // responses 1xx before the one

  // `proxy` outlives it. `host`: a name of at most 253 bytes, or an address as Address::Text writes
  // it.
  ProxyTalk(const Proxy& proxy, std::string_view host, uint16_t port);
  ProxyTalk(Proxy&& proxy, std::string_view host, uint16_t port) = delete;

  // What is to be sent now. Nothing may be read before it is.
  std::string_view unsent() const { return unsent_; }
  void Sent(size_t bytes) { unsent_.erase(0, bytes); }
  // How many of the bytes are the proxy's own: they are taken in, and are not to be given again.
  // kPermissionDenied: it wants other credentials, or does not allow it; kUnavailable: it cannot
  // connect; kProtocol: it is no such proxy.
  Result<size_t> Read(std::string_view bytes);
  bool done() const { return stage_ == Stage::kDone && unsent_.empty(); }

 private:
  enum class Stage : uint8_t { kHead, kMethod, kPassword, kReply, kDone };

  Result<size_t> ReadHead(std::string_view bytes);
  Result<void> OfHead();
  Result<size_t> ReadSocks(std::string_view bytes);
  Result<void> OfMethod();
  Result<void> OfReply();

  const Proxy& proxy_;
  const std::string host_;
  const uint16_t port_;
  Stage stage_ = Stage::kHead;
  std::string unsent_;
  std::string heard_;  // of the answer that is being read
  size_t read_ = 0;    // of all answers
  size_t wanted_ = 0;  // of SOCKS5: how long it is
  int interim_ = 0;
};

}  // namespace cay::network
