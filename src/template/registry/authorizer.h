// Authorizer: what is shown to a registry that asks who somebody is (Docker's token authentication,
// https://distribution.github.io/distribution/spec/auth/token, and its OAuth 2 for refresh tokens;
// RFC 6750; RFC 7617 for Basic).
//
//   request.headers.Set("Authorization", authorizer.FieldFor(asker));   // if it is not empty
//   if (status == 401) TRY(authorizer.Answer(asker, answer->headers()));   // and once again
//
// Tokens are kept until they expire, by server, scope and the credentials they were given for: one
// caller's token is never shown for another caller. Any thread may ask.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "http/client/location.h"
#include "http/message.h"
#include "template/registry/call_options.h"
#include "template/registry/connections.h"
#include "template/registry/rules/challenge.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::templates::registry {

// Who asks whom for what. All of it outlives the calls below.
struct Asker {
  const Endpoint& endpoint;
  std::string origin;  // Location::Origin of the endpoint
  std::string scope;   // "repository:library/python:pull"
  const CallOptions& call;
};

class Authorizer {
 public:
  static constexpr size_t kMaxTokens = 256;
  static constexpr size_t kMaxTokenBytes = 32 * kKiB;
  static constexpr size_t kMaxAnswerBytes = 256 * kKiB;  // of who gives tokens
  static constexpr Millis kShortestLife{60'000};         // of a token that does not say, or less
  static constexpr Millis kLongestLife{24 * 3'600'000};

  // All outlive it.
  Authorizer(Connections& connections, const RegistryRules& rules, const CredentialStore& store)
      : connections_(connections), rules_(rules), store_(store) {}
  ~Authorizer();
  Authorizer(const Authorizer&) = delete;
  Authorizer& operator=(const Authorizer&) = delete;

  // "Bearer …", "Basic …"; empty: nothing was asked for so far.
  Result<std::string> FieldFor(const Asker& asker);
  // What a 401 asks for is got, for the next FieldFor. `scope` of the challenge counts where it has
  // one. kPermissionDenied: there are no credentials for it, or who gives tokens refuses them.
  Result<void> Answer(const Asker& asker, const http::Headers& refusal);
  // Why it is of no use to ask again: with what was shown.
  Error Refused(const Asker& asker, std::string_view what) const;

 private:
  struct Held {
    std::string field;
    int64_t until_ms;  // SteadyMs
  };
  Result<std::string> KeyOf(const Asker& asker) const;
  std::optional<Credentials> CredentialsOf(const Asker& asker) const;
  Result<Held> FetchToken(const Asker& asker, const Challenge& challenge,
                          const std::optional<Credentials>& credentials);
  Result<http::Location> RealmOf(const Asker& asker, const Challenge& challenge) const;
  void Hold(std::string key, Held held);

  Connections& connections_;
  const RegistryRules& rules_;
  const CredentialStore& store_;
  std::mutex mutex_;
  std::map<std::string, Held> held_;
};

}  // namespace cay::templates::registry
