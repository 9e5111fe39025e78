// PullRules: what an administrator decides about images of registries that become templates: when,
// which, from where, how large, how many at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/oci/image_reference.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::sandbox {

// Whether a create whose template is not there, or may be an older one, asks a registry.
enum class PullPolicy : uint8_t { kNever, kMissing, kAlways };
std::string_view PullPolicyName(PullPolicy policy);  // "never", "missing", "always"
Result<PullPolicy> ParsePullPolicy(std::string_view name);

struct PullRules {
  static constexpr size_t kMaxAllow = 256;
  static constexpr size_t kMostAtATime = 16;

  PullPolicy policy = PullPolicy::kMissing;
  // Images that may be pulled for clients (ImagePattern); none: all.
  std::vector<std::string> allow{};
  // "REGISTRY=HOST[:PORT]", in the order in which they are asked.
  std::vector<std::string> mirrors{};
  std::vector<std::string> insecure{};            // RegistrySettings::insecure
  std::vector<std::string> private_registries{};  // RegistrySettings::private_registries
  std::string ca_file{};                          // RegistrySettings::ca_file
  std::string credentials_file{};                 // Docker's config.json; empty: none
  Bytes max_size = 16 * kGiB;  // of an image: as it is stored, and of what is unpacked of it
  size_t at_a_time = 2;
  size_t waiting = 64;             // beside those
  Millis timeout{1'800'000};       // of a pull, from its beginning on
  Millis create_patience{60'000};  // of a create, for its image
};

// kInvalidArgument names the setting that makes no sense.
Result<templates::registry::RegistrySettings> SettingsOf(const PullRules& rules);
Result<void> CheckPullRules(const PullRules& rules);

// A pattern is a canonical name ("docker.io/library/python:3.12-slim@…", or without the default
// parts, as references are typed), in which '*' stands for any text without '/', and "**" for any
// text. One without a tag is of every tag and digest.
Result<void> CheckImagePattern(std::string_view pattern);
// `image`: as it is typed, or canonical.
bool MatchesImage(std::string_view pattern, const templates::oci::ImageReference& image);
// kPermissionDenied, which names what is allowed, unless some pattern matches or there is none.
Result<void> CheckAllowed(const PullRules& rules, const templates::oci::ImageReference& image);

}  // namespace cay::sandbox
