#include "template/oci/platform.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <set>

#include "archive/safe_path.h"
#include "base/text.h"
#include "base/units.h"
#include "template/oci/manifest.h"

namespace cay::templates::oci {
namespace {

// BuildKit's mark of what it stores beside an image.
constexpr std::string_view kReferenceType = "vnd.docker.reference.type";
constexpr std::string_view kUnknown = "unknown";
constexpr size_t kMaxNamed = 32;  // platforms in a message

bool IsWord(std::string_view word) {
  return !word.empty() && word.size() <= Platform::kMaxWord &&
         std::ranges::all_of(word, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

// Of a processor, for those whose versions include each other: "v8.5" is {8, 5}.
struct Version {
  uint64_t major = 0;
  uint64_t minor = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
};

std::optional<Version> VersionOf(const Platform& normalized) {
  static constexpr uint64_t kMost = 99;
  std::string_view text = normalized.variant;
  if (text.empty() && normalized.architecture == "amd64") return Version{1, 0};
  if (text.empty() && normalized.architecture == "arm64") return Version{8, 0};
  if (normalized.architecture != "amd64" && !normalized.architecture.starts_with("arm")) return {};
  if (!text.starts_with('v')) return {};
  text.remove_prefix(1);
  const size_t dot = text.find('.');
  const auto major = ParseUnsigned(text.substr(0, dot), kMost);
  if (!major) return {};
  if (dot == std::string_view::npos) return Version{*major, 0};
  const auto minor = ParseUnsigned(text.substr(dot + 1), kMost);
  if (!minor) return {};
  return Version{*major, *minor};
}

bool Includes(const Platform& machine, const Platform& image) {
  const auto has = VersionOf(machine);
  const auto needs = VersionOf(image);
  if (!has || !needs) return machine.variant == image.variant;
  // Armv9.x is made of Armv8.(x+5) (Arm ARM, A1.1); what came after is not in it.
  if (machine.architecture == "arm64" && has->major == 9 && needs->major == 8) {
    return needs->minor <= has->minor + 5;
  }
  return *needs <= *has;
}

bool SaysItsPlatform(const Descriptor& entry) {
  return entry.platform && !entry.platform->os.empty() && !entry.platform->architecture.empty();
}

bool IsAttestation(const Descriptor& entry) {
  return entry.annotations.contains(std::string(kReferenceType)) ||
         (entry.platform &&
          (entry.platform->os == kUnknown || entry.platform->architecture == kUnknown));
}

bool CouldBeImage(const Descriptor& entry) {
  const MediaKind kind = KindOf(entry.media_type);
  if (kind != MediaKind::kManifest && kind != MediaKind::kIndex) return false;
  // Of an image it is the media type of its configuration (image-index.md), where it is there.
  if (!entry.artifact_type.empty() && KindOf(entry.artifact_type) != MediaKind::kConfig) {
    return false;
  }
  return !IsAttestation(entry);
}

// "linux/amd64, linux/arm/v7".
std::string PlatformsOf(const std::vector<const Descriptor*>& entries) {
  std::set<std::string> texts;
  for (const Descriptor* entry : entries) {
    if (SaysItsPlatform(*entry)) {
      texts.insert(archive::Printable(entry->platform->Normalized().Text()));
    }
  }
  std::string all;
  size_t named = 0;
  for (const std::string& text : texts) {
    if (++named > kMaxNamed) {
      return all + " and " + std::to_string(texts.size() - kMaxNamed) + " more";
    }
    all += (all.empty() ? "" : ", ") + text;
  }
  return all;
}

Error NoneFor(const Platform& wanted, const std::vector<const Descriptor*>& candidates) {
  std::string message = "there is no image for " + archive::Printable(wanted.Text());
  const std::string there = PlatformsOf(candidates);
  if (candidates.empty()) {
    message += ": the index has no image at all";
  } else if (there.empty()) {
    message += ": the index has several images, and does not say for which platforms they are";
  } else {
    message += "; there is one for " + there;
  }
  return {ErrorCode::kNotFound, Fault::kCaller, std::move(message)};
}

}  // namespace

Result<Platform> Platform::Parse(std::string_view text) {
  const auto parts =
      text.size() <= 4 * kMaxWord ? Split(text, '/') : std::vector<std::string_view>();
  if ((parts.size() != 2 && parts.size() != 3) || !std::ranges::all_of(parts, IsWord)) {
    return Failure(Error::Invalid("not a platform: \"" + archive::Printable(text) + "\"")
                       .WithRemedy("a platform is written as in linux/amd64 or linux/arm64/v8"));
  }
  Platform platform{.os = std::string(parts[0]), .architecture = std::string(parts[1])};
  if (parts.size() == 3) platform.variant = parts[2];
  return platform.Normalized();
}

Platform Platform::Native() {
#if defined(__x86_64__)
  return {.os = "linux", .architecture = "amd64"};
#elif defined(__aarch64__)
  return {.os = "linux", .architecture = "arm64"};
#else
#error "this processor's name in images is to be given here"
#endif
}

std::string Platform::Text() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

Platform Platform::Normalized() const {
  Platform normal = *this;
  normal.os = Lower(os);
  if (normal.os == "macos") normal.os = "darwin";
  std::string& name = normal.architecture;
  std::string& version = normal.variant;
  name = Lower(architecture);
  version = Lower(variant);
  if (name == "x86_64" || name == "x86-64") name = "amd64";
  if (name == "aarch64") name = "arm64";
  if (name == "i386") {
    name = "386";
    version = "";
  } else if (name == "armhf") {
    name = "arm";
    version = "v7";
  } else if (name == "armel") {
    name = "arm";
    version = "v6";
  } else if (name == "arm") {
    if (version.empty()) version = "v7";
    if (version.size() == 1 && version[0] >= '5' && version[0] <= '8') version = "v" + version;
  } else if ((name == "amd64" && version == "v1") ||
             (name == "arm64" && (version == "8" || version == "v8"))) {
    version.clear();
  }
  std::ranges::sort(normal.os_features);
  const auto repeated = std::ranges::unique(normal.os_features);
  normal.os_features.erase(repeated.begin(), repeated.end());
  return normal;
}

bool Runs(const Platform& machine, const Platform& image) {
  const Platform has = machine.Normalized();
  const Platform needs = image.Normalized();
  return has.os == needs.os && has.architecture == needs.architecture && Includes(has, needs) &&
         std::ranges::includes(has.os_features, needs.os_features);
}

Result<const Descriptor*> ChooseManifest(const Index& index, const Platform& wanted) {
  std::vector<const Descriptor*> candidates;
  for (const Descriptor& entry : index.manifests) {
    if (CouldBeImage(entry)) candidates.push_back(&entry);
  }
  const Descriptor* best = nullptr;
  std::optional<Version> best_version;
  for (const Descriptor* entry : candidates) {
    if (!SaysItsPlatform(*entry) || !Runs(wanted, *entry->platform)) continue;
    const auto version = VersionOf(entry->platform->Normalized());
    if (best == nullptr || version > best_version) {
      best = entry;
      best_version = version;
    }
  }
  if (best == nullptr && candidates.size() == 1 && !SaysItsPlatform(*candidates.front())) {
    best = candidates.front();
  }
  if (best == nullptr) return Failure(NoneFor(wanted, candidates));
  return best;
}

}  // namespace cay::templates::oci
