#include "cli/pulls/registry_options.h"

#include "cli/frame/argument_values.h"

namespace cay::cli {

using templates::registry::CredentialStore;
using templates::registry::RegistryClient;

// Docker's own place for them.
Result<CredentialStore> LoadDockerCredentials() {
  if (const auto directory = LookupEnvironment("DOCKER_CONFIG"))
    return CredentialStore::Load(*directory + "/config.json");
  if (const auto home = LookupEnvironment("HOME"))
    return CredentialStore::Load(*home + "/.docker/config.json");
  return CredentialStore();
}

// Whoever runs this program may connect to whatever there is without it, too.
Result<std::unique_ptr<RegistryClient>> OpenRegistryClient(const RegistryOptions& options) {
  templates::registry::RegistrySettings settings;
  settings.insecure = options.insecure;
  settings.ca_file = options.ca_file;
  settings.private_registries = {"0.0.0.0/0", "::/0"};
  return RegistryClient::Open(std::move(settings), TRY(LoadDockerCredentials()));
}

Result<std::string> ParseRegistryServer(std::string_view text) {
  TRY(templates::registry::Endpoint::Parse(text));
  return std::string(text);
}

}  // namespace cay::cli
