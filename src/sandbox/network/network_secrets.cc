// The keeper's half for secrets: what relays have of them, and when that is replaced.
#include <algorithm>

#include "base/os/log.h"
#include "network/policy/policy.h"
#include "sandbox/network/network_entry.h"
#include "sandbox/network/network_keeper.h"
#include "sandbox/secrets/trust.h"

namespace cay::sandbox {
namespace {

// Its secrets' hosts, or registries whose answers are kept.
bool Intercepted(const network::Terms& terms) {
  if (!terms.secrets.empty()) return true;
  if (terms.cache_owner.empty()) return false;
  const auto policy = network::Policy::Compile(terms.spec, terms.bounds);
  return policy && network::ReachesKept(*policy);
}

bool Names(const network::Terms& terms, const std::string& name) {
  if (name.empty()) return Intercepted(terms);
  return std::ranges::find(terms.secrets, name, &network::Secret::name) != terms.secrets.end();
}

}  // namespace

// What cannot be told is closed, so that nothing holds that does not any more.
void NetworkKeeper::ApplyOrClose(Entry& entry, const network::Terms& terms) {
  const auto applied = Apply(entry, terms);
  if (applied) return;
  Detach(entry);
  entry.problem = applied.error().message();
  LogWarning("the network of sandbox " + entry.id.text() +
             " is closed: " + applied.error().ToString());
}

network::Terms NetworkKeeper::TermsOf(const std::string& owner, const NetworkSpec& spec) const {
  return {.spec = spec.policy,
          .bounds = bounds(),
          .limits = spec.limits,
          .secrets = NamedOf(spec.granted),
          // An owner's name is never that of all of them.
          .cache_owner = !cache_         ? ""
                         : cache_shared_ ? "all"
                                         : "owner " + owner};
}

bool NetworkKeeper::Intercepts(const NetworkSpec& spec) const {
  return Intercepted(TermsOf({}, spec));
}

// Before the first network with secrets, and again when there is another one.
Result<void> NetworkKeeper::GiveAuthority(ServedRelay& relay, const network::Terms& terms) {
  if (!Intercepted(terms)) return {};
  const ServerAuthority authority = TRY(secrets_.Authority());
  const std::lock_guard lock(relay.authority_mutex);
  if (relay.authority == authority.identity.certificate) return {};
  TRY(relay.link.SetAuthority(
      {.certificate = authority.identity.certificate, .key = authority.identity.key},
      TRY(OpenTrusted(extra_ca_))));
  relay.authority = authority.identity.certificate;
  return {};
}

void NetworkKeeper::SecretsChanged(const std::string& owner, const std::string& name) {
  for (const auto& entry : All()) {
    if (!owner.empty() && entry->owner != owner) continue;
    const std::lock_guard lock(entry->mutex);
    // What nothing serves is opened with what is kept then.
    if (!entry->wanted || !ServerOf(*entry) || !Names(entry->terms, name)) continue;
    ApplyOrClose(*entry, entry->terms);
  }
}

// Changes by other processes, as by `cay secrets` without the server; and an authority that is
// replaced in time.
void NetworkKeeper::LookAtSecrets() {
  const uint64_t mark = secrets_.Mark();
  const Clock::time_point now = Clock::now();
  if (mark == secrets_mark_ && now < next_renewal_) return;
  secrets_mark_ = mark;
  next_renewal_ = now + kRenewalPace;
  SecretsChanged({}, {});
}

}  // namespace cay::sandbox
