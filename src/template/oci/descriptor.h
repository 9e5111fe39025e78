// Descriptor: what refers from one document of an image to another, or to a layer (OCI image-spec,
// descriptor.md; Docker's manifests have the same members); and the media types that say what is at
// the other end.
//
// Media types are compared as they are, in lower case. Members that are not below are ignored, as
// the specification wants it (`data`, `artifactType` of a layer …), so a document that was decoded
// and encoded again has another digest: whoever stores or verifies one keeps its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/compression.h"
#include "base/string_map.h"
#include "base/units.h"
#include "template/oci/digest.h"
#include "template/oci/platform.h"

namespace cay::templates::oci {

// OCI 1.0 and 1.1.
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kOciLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
// Docker, version 2, schema 2.
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";

// For `Accept` of a request for a manifest: all that DecodeDocument reads (manifest.h).
inline constexpr std::string_view kAcceptedManifests[] = {kOciIndex, kOciManifest, kDockerList,
                                                          kDockerManifest};

enum class MediaKind : uint8_t {
  kIndex,     // an OCI index, or Docker's manifest list
  kManifest,  // of one image
  kConfig,    // of an image
  kLayer,     // of an image's files
  kSchema1,   // Docker's manifests before 2016, which are not read
  kOther,
};
MediaKind KindOf(std::string_view media_type);

// What a layer's media type says of it.
struct LayerMedia {
  archive::Compression compression = archive::Compression::kNone;
  // "foreign" or "nondistributable": registries need not have it, only its `urls`; never pushed.
  bool distributable = true;
  friend bool operator==(const LayerMedia&, const LayerMedia&) = default;
};
// kNotSupported for what is no layer of an image's files; the message names it.
Result<LayerMedia> LayerMediaOf(std::string_view media_type);

struct Descriptor {
  static constexpr Bytes kMaxSize = (Bytes{1} << 53) - 1;  // exact in every JSON reader
  static constexpr size_t kMaxMediaType = 255;             // RFC 6838, 4.2: 127 + '/' + 127
  static constexpr size_t kMaxUrls = 16;
  static constexpr size_t kMaxUrl = 4096;  // bytes of each; printable ASCII, http or https
  static constexpr size_t kMaxAnnotations = 256;
  static constexpr Bytes kMaxAnnotationBytes = 256 * kKiB;  // of all names and values together

  std::string media_type;
  Digest digest;
  Bytes size = 0;  // of the content as it is stored: of a layer, compressed
  std::vector<std::string> urls{};
  StringMap annotations{};
  std::string artifact_type{};         // of an index's entry that is no image
  std::optional<Platform> platform{};  // of an index's entry; as it was written, not normalised

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

}  // namespace cay::templates::oci
