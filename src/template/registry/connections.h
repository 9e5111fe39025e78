// Connections: requests to servers, one at a time and as they are: no redirect is followed and
// nobody's credentials are known here. Each new connection goes to an address that AddressGuard
// allows; those that can be used again are kept for a while.
//
//   auto answer = TRY(connections.Send(location, {.method = "GET"}));
//   const std::string body = TRY(answer->ReadAll(64 * kKiB));
//
// Any thread may send. An answer belongs to one thread, and is destroyed before the Connections.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/client/client.h"
#include "http/client/location.h"
#include "template/registry/rules/address_guard.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::http {

class TlsContext;

}  // namespace cay::http

namespace cay::templates::registry {

class Connections;

class Answer {
 public:
  Answer(Connections& owner, http::Location where, std::unique_ptr<http::Client> client,
         std::unique_ptr<http::ClientResponse> response);
  ~Answer();
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  int status() const { return response_->status(); }
  const http::Headers& headers() const { return response_->headers(); }
  std::string Header(std::string_view name) const;  // empty: not there
  // As announced; nothing: it does not say. kProtocol for what is no number.
  Result<std::optional<uint64_t>> ContentLength() const;
  const http::Location& where() const { return where_; }  // who answered

  Result<size_t> Read(std::span<char> space);     // 0: the end
  Result<std::string> ReadAll(size_t max_bytes);  // kLimitTooHigh when there is more
  // Takes a small body that nobody wants, so that the connection can be used again.
  void Discard();

 private:
  Connections& owner_;
  http::Location where_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::ClientResponse> response_;
  bool is_whole_ = false;
};

class Connections {
 public:
  static constexpr size_t kMaxIdle = 16;
  static constexpr Millis kMaxIdleTime{20'000};

  // All but `tls` outlive it.
  Connections(const AddressGuard& guard, const RegistrySettings& settings,
              std::shared_ptr<http::TlsContext> tls)
      : guard_(guard), settings_(settings), tls_(std::move(tls)) {}

  // The settings' times hold; target and Host are those of `where`. The errors say who it was that
  // did not answer.
  Result<std::unique_ptr<Answer>> Send(const http::Location& where, http::ClientRequest request);

 private:
  friend class Answer;
  struct Idle {
    http::Url url;
    std::unique_ptr<http::Client> client;
    int64_t since_ms;
  };

  Result<std::unique_ptr<Answer>> SendAnew(const http::Location& where,
                                           const http::ClientRequest& request);
  std::unique_ptr<http::Client> TakeIdle(const http::Url& url);
  void Keep(const http::Url& url, std::unique_ptr<http::Client> client);

  const AddressGuard& guard_;
  const RegistrySettings& settings_;
  const std::shared_ptr<http::TlsContext> tls_;
  std::mutex mutex_;
  std::vector<Idle> idle_;  // the oldest first
};

}  // namespace cay::templates::registry
