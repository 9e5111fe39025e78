#include "template/registry/rules/registry_settings.h"

#include <algorithm>

#include "base/text.h"
#include "http/client/client.h"
#include "template/oci/image_reference.h"

namespace cay::templates::registry {
namespace {

// Docker's registry has this name in references, and its server another one.
std::string ServerOf(const std::string& domain) {
  if (domain == oci::kDefaultDomain) return "registry-1." + domain;
  return domain;
}

Result<void> CheckCount(std::string_view setting, size_t count) {
  if (count <= RegistrySettings::kMaxList) return {};
  return Failure(Error::Invalid(std::string(setting) + " has more than " +
                                std::to_string(RegistrySettings::kMaxList) + " entries"));
}

Result<void> CheckNumbers(const RegistrySettings& settings) {
  if (settings.max_layers == 0 || settings.max_layers > oci::kMaxLayers)
    return Failure(Error::Invalid("an image has 1 to " + std::to_string(oci::kMaxLayers) +
                                  " layers, so that is what max_layers can be"));
  if (settings.parallel_downloads == 0 || settings.parallel_downloads > 16)
    return Failure(Error::Invalid("parallel_downloads is not from 1 to 16"));
  if (settings.attempts == 0 || settings.attempts > 20)
    return Failure(Error::Invalid("attempts is not from 1 to 20"));
  for (const Millis time : {settings.connect_timeout, settings.head_timeout, settings.stall_timeout,
                            settings.rate_window, settings.retry_delay}) {
    if (time <= Millis(0) || time > Millis(3'600'000))
      return Failure(Error::Invalid("a time to wait for registries is not up to an hour"));
  }
  if (settings.max_retry_after < Millis(0) || settings.max_retry_after > Millis(3'600'000))
    return Failure(Error::Invalid("max_retry_after is not up to an hour"));
  return {};
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  const auto address = network::Address::Parse(host);
  return address && network::KindOf(*address) == network::AddressKind::kLoopback;
}

}  // namespace

std::string Endpoint::Name() const {
  const std::string bare = host.contains(':') ? "[" + host + "]" : host;
  return port ? bare + ":" + std::to_string(*port) : bare;
}

Result<Endpoint> Endpoint::Parse(std::string_view text) {
  const auto url = text.contains('/') ? Result<http::Url>(Failure(Error::Invalid("")))
                                      : http::Url::Parse("https://" + std::string(text));
  if (!url) {
    return Failure(Error::Invalid("\"" + std::string(text.substr(0, 80)) + "\" is no server")
                       .WithRemedy("write HOST or HOST:PORT"));
  }
  Endpoint endpoint;
  endpoint.host = Lower(url->host);
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos)
    endpoint.port = url->port;
  endpoint.domain = endpoint.Name();
  return endpoint;
}

Result<RegistryRules::Named> RegistryRules::ParseNamed(std::string_view text) {
  if (auto prefix = network::Prefix::Parse(text)) return Named{.prefix = *prefix};
  const Endpoint endpoint = TRY(Endpoint::Parse(text));
  Named named{.host = endpoint.host, .port = endpoint.port};
  if (const auto address = network::Address::Parse(endpoint.host))
    named.prefix = network::Prefix::Of(*address);
  return named;
}

Result<RegistryRules> RegistryRules::Of(RegistrySettings settings) {
  RegistryRules rules;
  TRY(CheckNumbers(settings));
  TRY(CheckCount("mirrors", settings.mirrors.size()));
  TRY(CheckCount("insecure", settings.insecure.size()));
  TRY(CheckCount("private_registries", settings.private_registries.size()));
  for (const RegistryMirrors& mirrors : settings.mirrors) {
    TRY(Endpoint::Parse(mirrors.registry));
    TRY(CheckCount("mirrors of " + mirrors.registry, mirrors.hosts.size()));
    for (const std::string& host : mirrors.hosts) TRY(Endpoint::Parse(host));
  }
  for (const std::string& entry : settings.insecure)
    rules.insecure_.push_back(TRY(Endpoint::Parse(entry)));
  for (const std::string& entry : settings.private_registries)
    rules.named_.push_back(TRY(ParseNamed(entry)));
  rules.settings_ = std::move(settings);
  return rules;
}

Result<std::vector<Endpoint>> RegistryRules::EndpointsOf(const std::string& domain) const {
  std::vector<Endpoint> endpoints;
  for (const RegistryMirrors& mirrors : settings_.mirrors) {
    if (!EqualsIgnoringCase(mirrors.registry, domain)) continue;
    for (const std::string& host : mirrors.hosts) {
      Endpoint endpoint = TRY(Endpoint::Parse(host));
      endpoint.is_mirror = true;
      endpoint.domain = endpoint.Name();
      endpoints.push_back(std::move(endpoint));
    }
  }
  Endpoint origin = TRY(Endpoint::Parse(ServerOf(domain)));
  origin.domain = domain;
  endpoints.push_back(std::move(origin));
  return endpoints;
}

bool RegistryRules::MayBeInsecure(const std::string& host, uint16_t port) const {
  return IsLoopback(host) || std::ranges::any_of(insecure_, [&](const Endpoint& entry) {
           return entry.host == host && (!entry.port || *entry.port == port);
         });
}

bool RegistryRules::IsNamed(const std::string& host, uint16_t port,
                            const network::Address& address) const {
  const network::Address dialled = address.Unmapped();
  const bool is_metadata = network::KindOf(dialled) == network::AddressKind::kMetadata;
  return std::ranges::any_of(named_, [&](const Named& named) {
    if (named.port && *named.port != port) return false;
    if (!named.prefix) return named.host == host && !is_metadata;
    if (is_metadata && named.prefix->length != dialled.bits()) return false;
    return named.prefix->Contains(dialled);
  });
}

}  // namespace cay::templates::registry
