// TLS: OpenSSL behind two small classes. Nothing of OpenSSL is touched before one of them is made.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace cay::http {

// One TLS connection over a non-blocking socket that it does not own. One thread at a time.
class TlsSession {
 public:
  enum class Wants : uint8_t { kNothing, kRead, kWrite };

  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // One step of the handshake; kNothing: it is done. kProtocol when it fails.
  Result<Wants> Handshake();

  // As Stream's. What the operation waits for when it gives nothing is wants().
  Result<std::optional<size_t>> TryRead(std::span<char> space);
  Result<size_t> TryWrite(std::string_view bytes);
  Wants wants() const { return wants_; }
  bool HasBuffered() const;

  // Sends close_notify, if that goes without waiting.
  void CloseNotify();

 private:
  friend class TlsContext;
  explicit TlsSession(ssl_st* ssl) : ssl_(ssl) {}

  ssl_st* ssl_;
  Wants wants_ = Wants::kNothing;
};

// Certificates and rules; shared by connections. Immutable, so any thread may make sessions of it.
class TlsContext {
 public:
  // A server's, from PEM files. kInvalidArgument when they are no certificate chain and its key.
  static Result<std::shared_ptr<TlsContext>> ForServer(const std::string& certificate_file,
                                                       const std::string& key_file);
  // A client's: certificates are verified against `ca_file`, or the system's when it is empty.
  static Result<std::shared_ptr<TlsContext>> ForClient(const std::string& ca_file);
  // A client's that believes the system's authorities and those of `more_ca_file` (PEM; empty: no
  // more), and takes an end without close_notify for a break.
  static Result<std::shared_ptr<TlsContext>> ForClientAlso(const std::string& more_ca_file);
  // The same of PEM texts in memory. A client's trusts nothing but what is in `trusted`, asks for
  // http/1.1 and nothing else (RFC 7301), and takes an end without close_notify for a break.
  static Result<std::shared_ptr<TlsContext>> ForServerOf(std::string_view certificates,
                                                         std::string_view key);
  static Result<std::shared_ptr<TlsContext>> ForClientOf(std::string_view trusted);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  Result<std::unique_ptr<TlsSession>> Accept(int fd) const;
  // `host`: a name or an address that the certificate must carry.
  Result<std::unique_ptr<TlsSession>> Connect(int fd, const std::string& host) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  Result<std::unique_ptr<TlsSession>> Make(int fd) const;

  ssl_ctx_st* context_;
};

}  // namespace cay::http
