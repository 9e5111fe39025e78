// SecretKeeper: the secrets of a server: what its owners keep, what its sandboxes get of them, and
// the authority with which they are sent.
//
//   TRY(secrets.Put({.secret = {…}, .variable = "TOKEN", .owner = caller.owner}));   // at once
//   TRY(secrets.Grant(owner, bounds, spec.network, before));   // placeholders, for a sandbox
//   terms.secrets = TRY(secrets.ValuesOf(owner, placeholders)); // for the relay
//   record.trust = TRY(secrets.Install(guest, spec.read_only)); // certificates, into a sandbox
//
// Values are read from the book where they are needed, and not held. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest_link/guest_channel.h"
#include "network/policy/policy.h"
#include "sandbox/secrets/authority_book.h"
#include "sandbox/secrets/secret_book.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// A sandbox's secret, as it is told.
struct SecretStanding {
  std::string name{};
  std::string variable{};
  bool kept = false;  // false: it was removed, and its placeholder is refused
};

class SecretKeeper {
 public:
  explicit SecretKeeper(const std::string& state_dir) : book_(state_dir), authorities_(state_dir) {}

  // Without their values. An empty owner: all.
  Result<std::vector<KeptSecret>> List(const std::string& owner) const;
  // Likewise. kNotFound.
  Result<KeptSecret> Find(const std::string& owner, const std::string& name) const;
  // Whether there was one of that name, which it replaces; in sandboxes that have it too, before
  // this returns. kInvalidArgument (EINVAL: it is well formed) for what cannot be one.
  Result<bool> Put(KeptSecret secret);
  // A revocation: when this returns nothing sends the value any more. kNotFound.
  Result<void> Remove(const std::string& owner, const std::string& name);
  // Told of each change. Before the first.
  using Changed = std::function<void(const std::string& owner, const std::string& name)>;
  void OnChange(Changed changed) { changed_ = std::move(changed); }
  // Another after each change of the book, whoever made it.
  uint64_t Mark() const { return book_.Mark(); }

  // Makes `spec.granted` of `spec.secrets`; what is in `before` stays as it is there. kNotFound for
  // one that the owner has not; kInvalidArgument for what can never be sent, or has its variable
  // from something else.
  Result<void> Grant(const std::string& owner, const network::Bounds& bounds, const StringMap& env,
                     const NetworkSpec& before, NetworkSpec& spec) const;
  Result<std::vector<SecretStanding>> StandingOf(const std::string& owner,
                                                 const std::vector<GrantedSecret>& granted) const;

  // Of secrets with names and placeholders alone: with all that a relay needs. One that was removed
  // is revoked.
  Result<std::vector<network::Secret>> ValuesOf(const std::string& owner,
                                                std::vector<network::Secret> named) const;

  // Made when it is first asked for.
  Result<ServerAuthority> Authority() const;
  // Gives a sandbox the certificates. What it was given, to be compared with Authority().mark.
  Result<std::string> Install(const GuestChannel& guest, bool read_only) const;

 private:
  SecretBook book_;
  AuthorityBook authorities_;
  Changed changed_;
};

// What a relay's terms have of them before they have values.
std::vector<network::Secret> NamedOf(const std::vector<GrantedSecret>& granted);
// Overwrites their values.
void WipeValues(std::vector<network::Secret>& secrets);

}  // namespace cay::sandbox
