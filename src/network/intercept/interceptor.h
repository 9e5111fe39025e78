// Interceptor: what ends TLS towards sandboxes' programs in the name of servers, and begins it
// towards those servers anew: a certificate authority that the sandboxes trust, and the authorities
// that servers are verified by.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/authority.h"
#include "http/transport/tls.h"

namespace cay::network {

class Interceptor {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMaxTrusted = size_t{4} * 1024 * 1024;  // of PEM
  static constexpr size_t kMaxLeaves = 256;

  // kInvalidArgument when the authority or what is trusted is not to be used.
  static Result<std::unique_ptr<Interceptor>> Make(Identity authority, std::string_view trusted);

  // To be a server of this name; made when it is first asked for, and anew every day.
  Result<std::shared_ptr<http::TlsContext>> ServerFor(const std::string& name);
  // To be a client of any server. It outlives this for who has it.
  std::shared_ptr<const http::TlsContext> client() const { return client_; }

 private:
  struct Leaf {
    std::shared_ptr<http::TlsContext> context;
    Clock::time_point made;
  };

  Interceptor(Identity authority, std::shared_ptr<http::TlsContext> client)
      : authority_(std::move(authority)), client_(std::move(client)) {}

  Identity authority_;
  std::shared_ptr<http::TlsContext> client_;
  std::map<std::string, Leaf> leaves_;
};

}  // namespace cay::network
