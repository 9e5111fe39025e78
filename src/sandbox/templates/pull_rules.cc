#include "sandbox/templates/pull_rules.h"

#include <algorithm>
#include <array>

namespace cay::sandbox {
namespace {

using templates::oci::ImageReference;
using templates::registry::RegistryRules;
using templates::registry::RegistrySettings;

constexpr std::array<std::string_view, 3> kPolicies = {"never", "missing", "always"};
constexpr size_t kMaxPattern = ImageReference::kMaxText;

// The part before the tag and digest: a ':' after the last '/' begins a tag, and one before it a
// port.
struct Parts {
  std::string_view name;
  std::string_view rest;  // ":tag@digest", or empty
};
Parts Divide(std::string_view text) {
  const size_t at = text.find('@');
  const size_t slash = text.substr(0, at).rfind('/');
  const size_t from = slash == std::string_view::npos ? 0 : slash;
  const size_t colon = text.substr(0, at).find(':', from);
  const size_t end = std::min(at, colon);
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), text.substr(end)};
}

// With the parts that a reference may leave out.
std::string Completed(std::string_view name) {
  const size_t slash = name.find('/');
  const std::string_view first = name.substr(0, slash);
  if (slash == std::string_view::npos && first != "**")
    return std::string(templates::oci::kDefaultDomain) + "/library/" + std::string(name);
  const bool is_domain =
      first.contains('.') || first.contains(':') || first.contains('*') || first == "localhost";
  return is_domain ? std::string(name)
                   : std::string(templates::oci::kDefaultDomain) + "/" + std::string(name);
}

// Looks at each letter of `text` once for each letter of the pattern.
bool Fits(std::string_view pattern, std::string_view text) {
  // possible[i]: the part of the pattern so far can be text[0, i).
  std::vector<bool> possible(text.size() + 1, false);
  possible[0] = true;
  for (size_t p = 0; p < pattern.size(); ++p) {
    const bool star = pattern[p] == '*';
    const bool any = star && p + 1 < pattern.size() && pattern[p + 1] == '*';
    if (any) ++p;
    std::vector<bool> next(text.size() + 1, false);
    for (size_t i = 0; i <= text.size(); ++i) {
      if (star) {
        next[i] = possible[i] || (i > 0 && next[i - 1] && (any || text[i - 1] != '/'));
      } else {
        next[i] = i > 0 && possible[i - 1] && text[i - 1] == pattern[p];
      }
    }
    possible = std::move(next);
  }
  return possible[text.size()];
}

}  // namespace

std::string_view PullPolicyName(PullPolicy policy) {
  return kPolicies[static_cast<size_t>(policy)];
}

Result<PullPolicy> ParsePullPolicy(std::string_view name) {
  const auto* const found = std::ranges::find(kPolicies, name);
  if (found != kPolicies.end()) return static_cast<PullPolicy>(found - kPolicies.begin());
  return Failure(Error::Invalid("\"" + std::string(name.substr(0, 40)) +
                                "\" is none of never, missing, always"));
}

Result<RegistrySettings> SettingsOf(const PullRules& rules) {
  RegistrySettings settings;
  for (const std::string& line : rules.mirrors) {
    const size_t equals = line.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == line.size()) {
      return Failure(Error::Invalid("\"" + line + "\" is no mirror")
                         .WithRemedy("write REGISTRY=HOST or REGISTRY=HOST:PORT"));
    }
    const std::string registry = line.substr(0, equals);
    auto known = std::ranges::find(settings.mirrors, registry,
                                   &templates::registry::RegistryMirrors::registry);
    if (known == settings.mirrors.end())
      known = settings.mirrors.insert(known, {.registry = registry, .hosts = {}});
    known->hosts.push_back(line.substr(equals + 1));
  }
  settings.insecure = rules.insecure;
  settings.private_registries = rules.private_registries;
  settings.ca_file = rules.ca_file;
  settings.max_image_bytes = rules.max_size;
  TRY(RegistryRules::Of(settings));
  return settings;
}

Result<void> CheckPullRules(const PullRules& rules) {
  TRY(SettingsOf(rules));
  if (rules.allow.size() > PullRules::kMaxAllow) {
    return Failure(Error::Invalid("these are " + std::to_string(rules.allow.size()) +
                                  " patterns, more than the maximum of " +
                                  std::to_string(PullRules::kMaxAllow)));
  }
  for (const std::string& pattern : rules.allow) TRY(CheckImagePattern(pattern));
  return {};
}

Result<void> CheckImagePattern(std::string_view pattern) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@[]*";
  const bool good = !pattern.empty() && pattern.size() <= kMaxPattern &&
                    pattern.find_first_not_of(kLetters) == std::string_view::npos &&
                    !Divide(pattern).name.empty();
  if (good) return {};
  return Failure(
      Error::Invalid("\"" + std::string(pattern.substr(0, 80)) + "\" is no pattern of images")
          .WithRemedy("as in python:*, team/* or registry.example:5000/**"));
}

bool MatchesImage(std::string_view pattern, const ImageReference& image) {
  const Parts wanted = Divide(pattern);
  if (!Fits(Completed(wanted.name), image.Name())) return false;
  if (wanted.rest.empty()) return true;
  // Of a digest: that decides which image it is, and so a pattern of a tag does not fit one.
  const std::string canonical = image.Canonical();
  return Fits(wanted.rest, std::string_view(canonical).substr(image.Name().size()));
}

Result<void> CheckAllowed(const PullRules& rules, const ImageReference& image) {
  const auto matches = [&](const std::string& pattern) { return MatchesImage(pattern, image); };
  if (rules.allow.empty() || std::ranges::any_of(rules.allow, matches)) return {};
  std::string allowed;
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < std::min(kShown, rules.allow.size()); ++i)
    allowed += (i == 0 ? "" : ", ") + rules.allow[i];
  if (rules.allow.size() > kShown) allowed += ", …";
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "the image " + image.Familiar() +
                           " is none of those that this server pulls: " + allowed)
                     .WithRemedy("ask the administrator to add it to templates.allow"));
}

}  // namespace cay::sandbox
