// Gate: whether a request may go on to its operation, and as which caller. It checks in this order:
// the name it came under (Host), the page it came from (Origin), its key, the key's scope, and its
// rate.
//
//   Gate gate(options, keys);
//   if (auto refused = gate.CheckNames(request)) …          // 421, 403
//   auto admitted = gate.Admit(request, Scope::kUse);       // 401, 403, 429
//
// Without any key in the store everybody who reaches a loopback address or the Unix socket is
// {owner "local", admin}. Thread-safe.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "api/gate/gate_options.h"
#include "api/gate/host_policy.h"
#include "api/gate/key_ring.h"
#include "api/gate/rate_limit.h"
#include "api/route.h"
#include "base/replaceable.h"
#include "http/message.h"

namespace cay::api {

struct Refusal {
  Error error;
  int status;
  std::optional<uint32_t> retry_after = std::nullopt;  // seconds
  http::Headers headers = {};
  bool flood = false;  // one of too many: not worth a row of the audit
};

struct Admission {
  sandbox::Caller caller;
  Scope scope = Scope::kAdmin;
  std::string key_id = {};  // empty: let in without one
};

class Gate {
 public:
  Gate(GateOptions options, KeyRing& keys);

  // 421 for a name that is not this server's, 403 for a page of another origin.
  std::optional<Refusal> CheckNames(const http::Request& request);
  // Answers a browser's preflight for a page of an allowed origin (Fetch, 4.8). Nothing when the
  // request is no preflight.
  std::optional<http::Response> AnswerPreflight(const http::Request& request);
  // The fields that a response to a page of an allowed origin needs in addition.
  http::Headers CorsHeaders(const http::Request& request);

  std::expected<Admission, Refusal> Admit(const http::Request& request, Scope wanted);

  // Whether an admitted request would still be admitted, for requests that last: kPermissionDenied
  // once its key was revoked or has expired, or when it came without a key and a first key was made
  // since. Changes by another process are seen within a second.
  Result<void> StillAdmitted(const Admission& admission);

  // The scope that the route needs: metrics may be public.
  Scope Wanted(const Route& route) const;
  std::optional<PortHost> PortOf(const http::Request& request) const;

  void Reconfigure(GateOptions options);
  std::shared_ptr<const GateOptions> options() const { return options_.Get(); }

 private:
  std::expected<Identity, Refusal> Identify(const http::Request& request);
  Refusal Failed(const http::Request& request, Error error);
  std::optional<Refusal> CheckRate(const Identity& identity);

  Replaceable<GateOptions> options_;
  KeyRing& keys_;
  RateTable failures_;  // by address
  RateTable requests_;  // by key
};

}  // namespace cay::api
