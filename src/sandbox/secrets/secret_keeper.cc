#include "sandbox/secrets/secret_keeper.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "network/intercept/credentials.h"
#include "sandbox/rules/secret_rules.h"
#include "sandbox/secrets/trust.h"

namespace cay::sandbox {
namespace {

KeptSecret Valueless(KeptSecret kept) {
  Wipe(kept.secret.value);
  return kept;
}

// Whoever holds pages leaves no values behind.
class PagesInUse {
 public:
  explicit PagesInUse(SecretBook::Pages pages) : pages_(std::move(pages)) {}
  ~PagesInUse() {
    for (KeptSecret& one : pages_.secrets) Wipe(one.secret.value);
  }
  PagesInUse(const PagesInUse&) = delete;
  PagesInUse& operator=(const PagesInUse&) = delete;
  const SecretBook::Pages* operator->() const { return &pages_; }

 private:
  SecretBook::Pages pages_;
};

Result<void> CheckNames(const NetworkSpec& spec) {
  if (spec.secrets.size() > network::Secret::kMostOfASandbox) {
    return Failure(Error::Impossible(
        "\"network.secrets\" has " + std::to_string(spec.secrets.size()) +
        " entries, more than the maximum of " + std::to_string(network::Secret::kMostOfASandbox)));
  }
  const std::set<std::string> different(spec.secrets.begin(), spec.secrets.end());
  if (different.size() != spec.secrets.size())
    return Failure(Error::Impossible("\"network.secrets\" names one secret twice"));
  if (spec.secrets.empty() || spec.policy.mode != network::Mode::kNone) return {};
  return Failure(
      Error::Impossible("\"network.secrets\" names secrets, and nothing is reached to which they "
                        "could be sent")
          .WithRemedy("allow their hosts: \"allow\": [\"api.example.com:443\"]"));
}

Result<GrantedSecret> GrantOf(const KeptSecret& kept, const NetworkSpec& before) {
  const std::string& name = kept.secret.name;
  const auto had = std::ranges::find(before.granted, name, &GrantedSecret::name);
  if (had != before.granted.end()) return *had;
  std::string placeholder = TRY(network::MakePlaceholder());
  return GrantedSecret{
      .name = name, .variable = kept.variable, .placeholder = std::move(placeholder)};
}

Result<void> CheckVariable(const GrantedSecret& granted, const NetworkSpec& spec,
                           const StringMap& env) {
  const auto taken = [&](const std::string& by) {
    return Failure(
        Error::Impossible("the variable " + granted.variable + " would be that of the secret \"" +
                          granted.name + "\", and it is " + by)
            .WithRemedy("set the secret with another variable: cay secrets set --env NAME"));
  };
  if (env.contains(granted.variable)) return taken("in \"env\" already");
  for (const GrantedSecret& other : spec.granted)
    if (other.variable == granted.variable) return taken("that of \"" + other.name + "\" already");
  return {};
}

}  // namespace

std::vector<network::Secret> NamedOf(const std::vector<GrantedSecret>& granted) {
  std::vector<network::Secret> named;
  for (const GrantedSecret& one : granted)
    named.push_back({.name = one.name, .placeholder = one.placeholder});
  return named;
}

void WipeValues(std::vector<network::Secret>& secrets) {
  for (network::Secret& secret : secrets) Wipe(secret.value);
}

Result<std::vector<KeptSecret>> SecretKeeper::List(const std::string& owner) const {
  SecretBook::Pages pages = TRY(book_.Read());
  std::vector<KeptSecret> listed;
  for (KeptSecret& one : pages.secrets) {
    Wipe(one.secret.value);
    if (owner.empty() || one.owner == owner) listed.push_back(std::move(one));
  }
  return listed;
}

Result<KeptSecret> SecretKeeper::Find(const std::string& owner, const std::string& name) const {
  return Valueless(TRY(book_.Find(owner, name)));
}

Result<bool> SecretKeeper::Put(KeptSecret secret) {
  const std::string owner = secret.owner;
  const std::string name = secret.secret.name;
  auto was_there = book_.Put(std::move(secret));
  if (!was_there) {
    Error error = std::move(was_there).error();
    // Well formed it is.
    if (error.code() == ErrorCode::kInvalidArgument) error.set_sys_errno(EINVAL);
    return Failure(std::move(error));
  }
  if (changed_) changed_(owner, name);
  return was_there;
}

Result<void> SecretKeeper::Remove(const std::string& owner, const std::string& name) {
  TRY(book_.Remove(owner, name));
  if (changed_) changed_(owner, name);
  return {};
}

Result<void> SecretKeeper::Grant(const std::string& owner, const network::Bounds& bounds,
                                 const StringMap& env, const NetworkSpec& before,
                                 NetworkSpec& spec) const {
  spec.granted.clear();
  TRY(CheckNames(spec));
  if (spec.secrets.empty()) return {};
  const PagesInUse pages(TRY(book_.Read()));
  const network::Policy policy = TRY(network::Policy::Compile(spec.policy, bounds));
  for (const std::string& name : spec.secrets) {
    const KeptSecret* const kept = pages->Find(owner, name);
    if (kept == nullptr) return Failure(NoSuchSecret(name).WithContext("network.secrets"));
    TRY(CheckReached(kept->secret, policy));
    GrantedSecret granted = TRY(GrantOf(*kept, before));
    TRY(CheckVariable(granted, spec, env));
    spec.granted.push_back(std::move(granted));
  }
  return {};
}

Result<std::vector<SecretStanding>> SecretKeeper::StandingOf(
    const std::string& owner, const std::vector<GrantedSecret>& granted) const {
  std::vector<SecretStanding> standings;
  if (granted.empty()) return standings;
  const PagesInUse pages(TRY(book_.Read()));
  for (const GrantedSecret& one : granted) {
    standings.push_back({.name = one.name,
                         .variable = one.variable,
                         .kept = pages->Find(owner, one.name) != nullptr});
  }
  return standings;
}

Result<std::vector<network::Secret>> SecretKeeper::ValuesOf(
    const std::string& owner, std::vector<network::Secret> named) const {
  if (named.empty()) return named;
  const PagesInUse pages(TRY(book_.Read()));
  for (network::Secret& secret : named) {
    std::string placeholder = std::move(secret.placeholder);
    if (const KeptSecret* kept = pages->Find(owner, secret.name)) {
      secret = kept->secret;
    } else {
      secret.revoked = true;
      if (const RemovedSecret* removed = pages->FindRemoved(owner, secret.name))
        secret.hosts = removed->hosts;
    }
    secret.placeholder = std::move(placeholder);
  }
  return named;
}

Result<ServerAuthority> SecretKeeper::Authority() const { return authorities_.Get(UnixMs()); }

Result<std::string> SecretKeeper::Install(const GuestChannel& guest, bool read_only) const {
  ServerAuthority authority = TRY(Authority());
  TRY(InstallAuthority(guest, authority.trusted, read_only,
                       ::geteuid() == 0 ? SandboxUsers::kAll : SandboxUsers::kOne));
  return std::move(authority.mark);
}

}  // namespace cay::sandbox
