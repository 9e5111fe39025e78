// Manifests and indexes: which configuration and layers an image has, and which images a name
// stands for (OCI image-spec 1.0 and 1.1, manifest.md and image-index.md; Docker's "image manifest
// version 2, schema 2" and manifest list). Pure.
//
//   Document document = TRY(DecodeDocument(body, content_type));
//   if (const auto* index = std::get_if<Index>(&document)) …ChooseManifest(*index, platform)…
//
// A document comes from a stranger, and two programs must not read two things in it
// (CVE-2021-41190). So it is refused when:
// - it has `manifests` beside `config` or `layers`;
// - its `mediaType` is not the media type it was sent or referred to with, or, of Docker's formats,
//   is missing;
// - it has a member twice, or one that differs from a known one only in upper and lower case (Go
//   reads it as that one);
// - it is over a bound below.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "template/oci/descriptor.h"

namespace cay::templates::oci {

inline constexpr Bytes kMaxDocument = 4 * kMiB;  // as OCI distribution-spec advises registries
inline constexpr size_t kMaxLayers = 128;        // as Docker
inline constexpr size_t kMaxIndexEntries = 1000;

struct Manifest {
  std::string media_type;  // kOciManifest or kDockerManifest, whether the document says it or not
  Descriptor config;
  std::vector<Descriptor> layers{};     // the lowest first; at most kMaxLayers
  std::string artifact_type{};          // OCI 1.1: of what is no image
  std::optional<Descriptor> subject{};  // OCI 1.1: the manifest that this one is about
  StringMap annotations{};

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

struct Index {
  std::string media_type;               // kOciIndex or kDockerList
  std::vector<Descriptor> manifests{};  // at most kMaxIndexEntries
  std::string artifact_type{};
  std::optional<Descriptor> subject{};
  StringMap annotations{};

  friend bool operator==(const Index&, const Index&) = default;
};

using Document = std::variant<Manifest, Index>;

// `media_type`: what the document was sent as (Content-Type, parameters are ignored) or is referred
// to as (Descriptor::media_type); empty where nothing says it (index.json of a layout).
// kInvalidArgument says what is wrong with which member; kLimitTooHigh what is over a bound;
// kNotSupported names a media type that is not read, Docker's schema 1 among them.
Result<Document> DecodeDocument(std::string_view json, std::string_view media_type);

// As DecodeDocument, where only one of the two can be meant: kInvalidArgument for the other.
Result<Manifest> DecodeManifest(std::string_view json, std::string_view media_type);
Result<Index> DecodeIndex(std::string_view json, std::string_view media_type);

// Whether it is an image whose layers can be unpacked: kNotSupported names the media type of a
// configuration or layer that is none (a Helm chart, a signature, an attestation).
Result<void> CheckImage(const Manifest& manifest);

// JSON, without spaces, members in the order of the specifications: the same for the same. What is
// encoded is what can be decoded: kInvalidArgument and kLimitTooHigh otherwise.
Result<std::string> EncodeManifest(const Manifest& manifest);
Result<std::string> EncodeIndex(const Index& index);

}  // namespace cay::templates::oci
