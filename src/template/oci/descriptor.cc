#include "template/oci/descriptor.h"

#include <algorithm>

#include "archive/safe_path.h"

namespace cay::templates::oci {
namespace {

using archive::Compression;

constexpr std::string_view kSchema1[] = {
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
};

struct KnownLayer {
  std::string_view media_type;
  LayerMedia media;
};

// OCI's layer.md and media-types.md; Docker's "image manifest version 2, schema 2", and those of
// its types that containerd has beside that.
constexpr KnownLayer kLayers[] = {
    {kOciLayerTar, {Compression::kNone, true}},
    {kOciLayerGzip, {Compression::kGzip, true}},
    {kOciLayerZstd, {Compression::kZstd, true}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", {Compression::kNone, false}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", {Compression::kGzip, false}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", {Compression::kZstd, false}},
    {kDockerLayerGzip, {Compression::kGzip, true}},
    {"application/vnd.docker.image.rootfs.diff.tar", {Compression::kNone, true}},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", {Compression::kZstd, true}},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", {Compression::kNone, false}},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {Compression::kGzip, false}},
};

}  // namespace

MediaKind KindOf(std::string_view media_type) {
  if (media_type == kOciManifest || media_type == kDockerManifest) return MediaKind::kManifest;
  if (media_type == kOciIndex || media_type == kDockerList) return MediaKind::kIndex;
  if (media_type == kOciConfig || media_type == kDockerConfig) return MediaKind::kConfig;
  const auto is = [media_type](std::string_view known) { return known == media_type; };
  if (std::ranges::any_of(kSchema1, is)) return MediaKind::kSchema1;
  if (std::ranges::any_of(kLayers, is, &KnownLayer::media_type)) return MediaKind::kLayer;
  return MediaKind::kOther;
}

Result<LayerMedia> LayerMediaOf(std::string_view media_type) {
  const auto* known = std::ranges::find(kLayers, media_type, &KnownLayer::media_type);
  if (known == std::end(kLayers)) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "\"" + archive::Printable(media_type) + "\" is no layer of files"));
  }
  return known->media;
}

}  // namespace cay::templates::oci
