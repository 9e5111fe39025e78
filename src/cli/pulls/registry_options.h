// What commands that ask registries of images have in common: which of them are asked without TLS
// or with authorities of one's own, and the credentials they are shown.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/frame/option_tables.h"
#include "template/registry/registry_client.h"
#include "template/registry/rules/credentials.h"

namespace cay::cli {

struct RegistryOptions {
  std::vector<std::string> insecure;
  std::string ca_file;
};

// Docker's own file of them.
Result<templates::registry::CredentialStore> LoadDockerCredentials();

// With the credentials of Docker's own file.
Result<std::unique_ptr<templates::registry::RegistryClient>> OpenRegistryClient(
    const RegistryOptions& options);

// HOST[:PORT].
Result<std::string> ParseRegistryServer(std::string_view text);

// `registry` of the options of a command is a RegistryOptions.
template <class Options>
Result<void> AddInsecureRegistry(Options& options, std::string_view value) {
  options.registry.insecure.push_back(TRY(ParseRegistryServer(value)));
  return {};
}
template <class Options>
Result<void> SetRegistryCa(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  options.registry.ca_file = value;
  return {};
}

template <class Options>
constexpr OptionSpec kInsecureRegistryOption = {
    .name = "insecure-registry",
    .value = "HOST[:PORT]",
    .help =
        "Ask this one without TLS where it does not speak it; those of this machine always "
        "are; repeatable",
    .example = "registry.example:5000",
    .apply = &Into<Options, &AddInsecureRegistry<Options>>};

template <class Options>
constexpr OptionSpec kRegistryCaOption = {
    .name = "registry-ca",
    .value = "FILE",
    .help = "PEM file of authorities that registries may have, beside the system's",
    .example = "ca.pem",
    .completes = Completes::kFiles,
    .apply = &Into<Options, &SetRegistryCa<Options>>};

}  // namespace cay::cli
