#include "cli/network/run_network.h"

#include <utility>

#include "network/cache/cache_place.h"
#include "network/intercept/credentials.h"
#include "network/relay/confine.h"
#include "network/relay/relay_process.h"
#include "sandbox/network/engine_sockets.h"
#include "sandbox/rules/secret_rules.h"
#include "sandbox/secrets/trust.h"

namespace cay::cli {
namespace {

// Who runs a command here reaches what this machine reaches: a rule of theirs is enough. Addresses
// that are not public must still be named.
network::Bounds BoundsOf(const network::Spec& spec) {
  network::Bounds bounds;
  for (const std::string& text : spec.allow) {
    const auto rule = network::Rule::Parse(text);
    if (rule && rule->name() == nullptr) bounds.private_allowed.push_back(text);
  }
  return bounds;
}

}  // namespace

std::string PlaceOf(const network::Flow& flow) {
  const std::string& place = flow.name.empty() ? flow.address : flow.name;
  const bool brackets = flow.name.empty() && place.find(':') != std::string::npos;
  std::string text = brackets ? "[" + place + "]" : place;
  return flow.port == 0 ? text : text + ":" + std::to_string(flow.port);
}

Result<std::unique_ptr<RunNetwork>> RunNetwork::Start(const network::Spec& spec, const Ways& ways,
                                                      const std::string& state_dir) {
  network::HelloRequest greeting = TRY(GreetingOf(ways));
  network::Terms terms{.version = 1, .spec = spec, .bounds = BoundsOf(spec)};
  TRY(network::Policy::Compile(terms.spec, terms.bounds));
  std::optional<Fd> cache;
  if (greeting.cache_bytes > 0 && !state_dir.empty()) {
    cache = TRY(network::MakeCacheDirectory(state_dir, network::kRelayUid));
    // Who uses this state directory is one user: all of its runs.
    terms.cache_owner = "run";
  }
  Fd control = TRY(network::ForkRelay(cache));
  return std::unique_ptr<RunNetwork>(
      new RunNetwork(std::move(terms), std::move(greeting), std::move(control)));
}

Result<void> RunNetwork::Intercept(std::vector<network::Secret> secrets,
                                   const std::vector<std::string>& trusted) {
  const network::Policy policy = TRY(network::Policy::Compile(terms_.spec, terms_.bounds));
  for (const network::Secret& secret : secrets) TRY(sandbox::CheckReached(secret, policy));
  TRY(network::Credentials::Compile(secrets));
  if (secrets.empty() && (terms_.cache_owner.empty() || !network::ReachesKept(policy))) return {};
  trusted_ = TRY(sandbox::OpenTrusted(trusted));
  authority_ = TRY(MakeAuthority("Cay, of one run"));
  terms_.secrets = std::move(secrets);
  return {};
}

Result<network::Checked> RunNetwork::Check(const std::string& host, uint16_t port) {
  TRY(link_.Hello(greeting_));
  return link_.Check({.terms = terms_, .host = host, .port = port});
}

Result<void> RunNetwork::Open(const SandboxId& id, engine::NetworkSockets sockets) {
  TRY(link_.Hello(greeting_));
  if (!certificate().empty()) {
    TRY(link_.SetAuthority({.certificate = authority_.certificate, .key = authority_.key},
                           trusted_));
  }
  TRY(link_.Open(id, terms_, sandbox::SocketsOf(std::move(sockets))));
  id_ = id;
  return {};
}

RunFlows RunNetwork::Close(const SandboxId& id) {
  RunFlows told = ToldOf(id);
  (void)link_.Close(id);
  return told;
}

RunFlows RunNetwork::ToldOf(const SandboxId& id) {
  RunFlows told;
  uint64_t known = 0;
  while (true) {
    auto flows = link_.FlowsAfter(id, known);
    if (!flows) break;
    told.counts = flows->counts;
    told.dropped += flows->first - known - 1;
    known = flows->first + flows->flows.size() - 1;
    for (network::Flow& flow : flows->flows) {
      if (flow.verdict != network::Verdict::kAllowed) told.denied.push_back(std::move(flow));
    }
    if (known >= flows->last) break;
  }
  return told;
}

}  // namespace cay::cli
