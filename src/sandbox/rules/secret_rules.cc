#include "sandbox/rules/secret_rules.h"

#include "network/intercept/credentials.h"

namespace cay::sandbox {

Result<void> CheckReached(const network::Secret& secret, const network::Policy& policy) {
  for (const std::string& text : secret.hosts) {
    const network::SecretHost host = TRY(network::ParseSecretHost(text));
    const network::Decision decision = policy.OfConnection(host.name, host.port);
    if (decision.allowed) continue;
    const std::string place = host.name + ":" + std::to_string(host.port);
    return Failure(Error::Impossible("the secret \"" + secret.name + "\" is for " + place +
                                     ", which the network policy does not allow: " +
                                     network::Explain(decision, host.name, nullptr))
                       .WithRemedy("allow " + place + ", or leave the secret out"));
  }
  return {};
}

}  // namespace cay::sandbox
