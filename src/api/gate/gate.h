// Gate: whether a request may go on to its operation, and as whom. In this order: the name it came
// under (Host), the page it came from (Origin), who sends it, what that one may, and how often.
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
  // A browser's question before a request of a page that may (Fetch, 4.8). Nothing when it is none.
  std::optional<http::Response> AnswerPreflight(const http::Request& request);
  // What a response to a page that may needs, beside others.
  http::Headers CorsHeaders(const http::Request& request);

  std::expected<Admission, Refusal> Admit(const http::Request& request, Scope wanted);

  // Whether who was let in would still be, for what goes on for long: kPermissionDenied once the
  // key was revoked or has expired, or there is a first key and this one came without. What another
  // process did is seen within a second.
  Result<void> StillAdmitted(const Admission& admission);

  // What the route needs here: metrics may be public.
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
