// Credentials: the secrets of one sandbox, and where their values go. Pure.
//
//   const Credentials credentials = TRY(Credentials::Compile(secrets));
//   if (credentials.Covers("api.example.com", 443)) …          // intercepted
//   TRY(credentials.Fill(host, request.headers));              // placeholders become values
//
// A placeholder becomes the value only in headers of requests to a host of its secret, and, where
// the secret names a header, only in that one. What is `user:PLACEHOLDER` in Basic credentials
// (RFC 7617) is decoded, filled and encoded. In the target or the body, and in other headers, it
// stays what it is. Towards another host it is refused, wherever it is found; that of a secret that
// was revoked is refused towards all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "network/link/secret.h"

namespace cay::network {

// "cay-secret-" and 32 of [a-z2-7], which say nothing about the value.
inline constexpr std::string_view kPlaceholderPrefix = "cay-secret-";
inline constexpr size_t kPlaceholderBytes = kPlaceholderPrefix.size() + 32;
Result<std::string> MakePlaceholder();

// "api.example.com" or "api.example.com:8443". kInvalidArgument for what is neither: addresses and
// patterns are not verified by a certificate's name.
struct SecretHost {
  std::string name;  // as NormalName has it
  uint16_t port = 443;
};
Result<SecretHost> ParseSecretHost(std::string_view text);

// Everything about it but its placeholder. Errors do not quote the value.
Result<void> CheckSecret(const Secret& secret);

class Credentials {
 public:
  static Result<Credentials> Compile(std::vector<Secret> secrets);

  bool empty() const { return secrets_.empty(); }
  // Whether connections to this place are intercepted.
  bool Covers(std::string_view name, uint16_t port) const;
  // The name of a secret whose placeholder is in the text.
  std::optional<std::string> Found(std::string_view text) const;
  // The same of secrets that are not for this place.
  std::optional<std::string> Foreign(std::string_view name, uint16_t port,
                                     std::string_view text) const;
  // How a refusal calls what was found: `the placeholder of the secret "a", which is not for HOST`.
  std::string Misplaced(std::string_view secret, std::string_view host) const;
  // kPermissionDenied, and nothing is changed: a placeholder of another place's secret.
  Result<void> Fill(std::string_view name, uint16_t port, http::Headers& headers) const;

  friend bool operator==(const Credentials& a, const Credentials& b) {
    return a.secrets_ == b.secrets_;
  }

 private:
  std::string Filled(std::string_view name, uint16_t port, const std::string& header,
                     std::string value) const;

  std::vector<Secret> secrets_;
};

// A text that comes in pieces, looked through as one.
class ForeignScan {
 public:
  ForeignScan(const Credentials& credentials, std::string_view name, uint16_t port)
      : credentials_(credentials), name_(name), port_(port) {}

  // The name of a foreign secret whose placeholder ends in this piece.
  std::optional<std::string> Add(std::string_view piece);

 private:
  const Credentials& credentials_;
  std::string name_;
  uint16_t port_;
  std::string tail_;  // shorter than a placeholder
};

}  // namespace cay::network
