// Session: one side of an interception: TLS, or for what is asked in the clear the bytes as they
// are. Over a non-blocking socket that it does not own.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "http/transport/tls.h"

namespace cay::network {

class Session {
 public:
  using Wants = http::TlsSession::Wants;

  static Session Tls(std::unique_ptr<http::TlsSession> tls) { return {std::move(tls), -1}; }
  static Session Clear(int socket) { return {nullptr, socket}; }

  // As TlsSession's.
  Result<Wants> Handshake() { return tls_ ? tls_->Handshake() : Wants::kNothing; }
  Result<std::optional<size_t>> TryRead(std::span<char> space);
  Result<size_t> TryWrite(std::string_view bytes);
  Wants wants() const { return tls_ ? tls_->wants() : Wants::kNothing; }
  void CloseNotify() {
    if (tls_) tls_->CloseNotify();
  }

 private:
  Session(std::unique_ptr<http::TlsSession> tls, int socket)
      : tls_(std::move(tls)), socket_(socket) {}

  std::unique_ptr<http::TlsSession> tls_;  // null: in the clear
  int socket_;
};

}  // namespace cay::network
