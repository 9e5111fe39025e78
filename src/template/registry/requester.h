// Requester: a request to a registry until there is an answer to it: over TLS or, where that is
// allowed, not; with what the registry wants to be shown; along its redirects; and again where it
// says "later" or was not there.
//
//   auto answer = TRY(requester.Send(endpoint, {.target = "/v2/a/blobs/sha256:…", .path = "a"}, call));
//
// Bounds: 5 redirects, of which none leads from https to http, and none to another server with
// credentials; one new token for a request; `attempts` of the settings in all, the waits between
// which are at most max_retry_after each. Any thread may send.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "http/client/client.h"
#include "template/registry/authorizer.h"
#include "template/registry/call_options.h"
#include "template/registry/connections.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::templates::registry {

struct Ask {
  using Source = std::function<Result<size_t>(std::span<char>)>;

  std::string method = "GET";
  std::string target{};  // path and query; at the endpoint
  std::string path{};    // the repository: "library/python"
  std::string actions = "pull";
  http::Headers headers{};
  std::string body{};
  // A streamed body instead, made anew for each attempt.
  std::function<Result<Source>()> make_source{};
  uint64_t source_length = 0;
};

class Requester {
 public:
  static constexpr size_t kMaxRedirects = 5;

  // All outlive it.
  Requester(Connections& connections, Authorizer& authorizer, const RegistryRules& rules)
      : connections_(connections), authorizer_(authorizer), rules_(rules) {}

  // Any status but 401, 429, 502, 503, 504 and those of redirects. kPermissionDenied, kUnavailable,
  // kTimeout, kProtocol; a message names the registry, and never credentials.
  Result<std::unique_ptr<Answer>> Send(const Endpoint& endpoint, const Ask& ask,
                                       const CallOptions& call);

 private:
  Result<http::Url> UrlOf(const Endpoint& endpoint, const CallOptions& call);
  Result<http::Url> Probe(const Endpoint& endpoint, const CallOptions& call);
  Result<std::unique_ptr<Answer>> SendOnce(const Asker& asker, const http::Location& start,
                                           const Ask& ask);
  Result<std::unique_ptr<Answer>> Follow(const Asker& asker, const http::Location& start,
                                         const Ask& ask, const std::string& field);
  Result<http::Location> NextOf(const Asker& asker, const Answer& answer) const;

  Connections& connections_;
  Authorizer& authorizer_;
  const RegistryRules& rules_;
  std::mutex mutex_;
  std::map<std::string, http::Url> urls_;  // of what may be insecure, once it has been asked
};

// What a status that is no success means: kNotFound, kPermissionDenied, kUnavailable, kProtocol.
// `what` was asked for: "the manifest of a:1".
Error StatusError(const Endpoint& endpoint, const std::string& what, Answer& answer);

}  // namespace cay::templates::registry
