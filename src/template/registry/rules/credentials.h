// Credentials: who asks a registry, and CredentialStore, those of a `config.json` of Docker's.
//
//   const CredentialStore store = TRY(CredentialStore::Load("/root/.docker/config.json"));
//   const auto found = store.Find("docker.io");
//
// No error and no other text that is made here has a password or a token in it; both are wiped when
// they are destroyed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::templates::registry {

struct Credentials {
  static constexpr size_t kMaxBytes = 16 * 1024;  // of each

  std::string username;
  std::string password;
  // OAuth 2's refresh token, instead of a password: only for those who give tokens.
  std::string identity_token;

  Credentials() = default;
  Credentials(std::string user, std::string secret)
      : username(std::move(user)), password(std::move(secret)) {}
  Credentials(const Credentials&) = default;
  Credentials& operator=(const Credentials&) = default;
  Credentials(Credentials&& other) noexcept;
  Credentials& operator=(Credentials&& other) noexcept;
  ~Credentials();

  // kInvalidArgument: a user name with a ':' (RFC 7617, 2) or a control character in one of them,
  // nothing at all, or more than kMaxBytes.
  Result<void> Check() const;
  // "Basic …" (RFC 7617).
  std::string BasicField() const;
};

class CredentialStore {
 public:
  static constexpr size_t kMaxFile = size_t{1} << 20;

  // Without any.
  CredentialStore() = default;
  // A file that is not there is a store without any. kInvalidArgument says what is wrong with it;
  // entries of `auths` are read here, so that a bad one is told before it is needed.
  static Result<CredentialStore> Load(const std::string& path);
  static Result<CredentialStore> Parse(std::string_view json);

  // Of a registry as references name it, or of a mirror ("registry.example:5000"): the entry of
  // that very name, then one that is a URL of it ("https://registry.example/v2/"); Docker's own is
  // "https://index.docker.io/v1/". As Docker, no paths: one registry has one entry.
  std::optional<Credentials> Find(std::string_view registry) const;
  // The program that alone would have them (`credHelpers`, `credsStore`): "docker-credential-pass".
  // It is never run: it would run with this program's rights. Empty: there is none.
  std::string HelperOf(std::string_view registry) const;

 private:
  std::map<std::string, Credentials, std::less<>> entries_;  // by the names of `auths`
  std::map<std::string, std::string, std::less<>> helpers_;  // by the names of `credHelpers`
  std::string store_;
};

}  // namespace cay::templates::registry
