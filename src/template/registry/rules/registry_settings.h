// RegistrySettings: what an administrator decides about image registries; and RegistryRules, the
// same as questions: which servers are asked for an image, which of them may be spoken to without
// TLS, which private addresses may be reached.
//
//   const RegistryRules rules = TRY(RegistryRules::Of(settings));
//   for (const Endpoint& endpoint : rules.EndpointsOf(reference.domain)) …
//
// A server is written as HOST or HOST:PORT (an IPv6 address in brackets): HOST alone is any port of
// it where something is allowed, and the scheme's own where it is asked. Immutable once made, so
// any thread may ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "network/policy/address.h"
#include "template/oci/manifest.h"

namespace cay::templates::registry {

struct RegistryMirrors {
  std::string registry;            // as references name it: "docker.io", "registry.example:5000"
  std::vector<std::string> hosts;  // asked in this order, and the registry itself after them
};

struct RegistrySettings {
  static constexpr size_t kMaxList = 256;  // entries of each list below

  std::vector<RegistryMirrors> mirrors{};
  // May be asked without TLS where they do not speak it. Those at a loopback address always may, as
  // Docker has it (127.0.0.0/8, ::1, localhost).
  std::vector<std::string> insecure{};
  // HOST, HOST:PORT, an address, ADDRESS:PORT or a prefix ("10.0.0.0/8"). What is at an address
  // that is not public, or is this machine's own, is refused unless it is named here: registries,
  // those who give tokens for them, and those to which they redirect. An address of a cloud's
  // metadata has to be named itself, and no other way.
  std::vector<std::string> private_registries{};
  std::string ca_file{};  // PEM: authorities beside the system's; empty: none

  Bytes max_image_bytes = 16 * kGiB;  // of all blobs together, as they are stored
  size_t max_layers = oci::kMaxLayers;
  size_t parallel_downloads = 3;  // of one image

  Millis connect_timeout{10'000};
  Millis head_timeout{30'000};           // from a request to the head of its answer
  Millis stall_timeout{30'000};          // nothing of a body comes, or is taken, for so long
  uint64_t min_bytes_per_second = 1024;  // of a body, over windows of waiting; 0: any
  Millis rate_window{10'000};
  Millis max_retry_after{60'000};  // a registry that says "later" is waited for so long, not longer
  Millis retry_delay{1'000};  // before the second attempt where a registry says nothing; doubles
  size_t attempts = 5;        // of one request that may be repeated, in all
};

// A server of a registry, or of a mirror of it.
struct Endpoint {
  std::string host;  // in lower case, without brackets
  std::optional<uint16_t> port{};
  bool is_mirror = false;
  std::string domain;  // of the registry it stands for, as references name it

  // "registry.example:5000", "[::1]": as it was written; what credentials are kept for.
  std::string Name() const;
  // kInvalidArgument for what is no HOST[:PORT].
  static Result<Endpoint> Parse(std::string_view text);
};

class RegistryRules {
 public:
  // kInvalidArgument names the setting and the entry that make no sense.
  static Result<RegistryRules> Of(RegistrySettings settings);

  const RegistrySettings& settings() const { return settings_; }

  // Mirrors first, the registry itself last. kInvalidArgument for a domain that is none.
  Result<std::vector<Endpoint>> EndpointsOf(const std::string& domain) const;
  bool MayBeInsecure(const std::string& host, uint16_t port) const;
  // Whether the administrator has named it. `address` is what `host` was looked up to be.
  bool IsNamed(const std::string& host, uint16_t port, const network::Address& address) const;

 private:
  // An entry of private_registries: a prefix, or a server.
  struct Named {
    std::optional<network::Prefix> prefix{};
    std::string host{};
    std::optional<uint16_t> port{};
  };
  static Result<Named> ParseNamed(std::string_view text);

  RegistrySettings settings_;
  std::vector<Endpoint> insecure_;
  std::vector<Named> named_;
};

}  // namespace cay::templates::registry
