// Manifests, indexes and the documents of archives, which whoever pushes an image writes: whatever
// the bytes, they are refused, or what was read is within every bound, is one of the two and not
// the other, and is read again as it was written.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "archive/safe_path.h"
#include "template/oci/docker_archive.h"
#include "template/oci/manifest.h"

namespace {

using namespace std::string_view_literals;
using cay::templates::oci::Descriptor;
using cay::templates::oci::Document;
using cay::templates::oci::Index;
using cay::templates::oci::Manifest;
using cay::templates::oci::MediaKind;
namespace oci = cay::templates::oci;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckDescriptor(const Descriptor& descriptor) {
  Check(descriptor.size <= Descriptor::kMaxSize);
  Check(!descriptor.media_type.empty());
  Check(descriptor.urls.size() <= Descriptor::kMaxUrls);
  Check(descriptor.annotations.size() <= Descriptor::kMaxAnnotations);
}

void CheckSame(const Document& document, const cay::Result<std::string>& text,
               std::string_view media_type) {
  // Escaped and named, a document may be longer than it was: only then may it be refused.
  if (!text) {
    Check(text.error().code() == cay::ErrorCode::kLimitTooHigh);
    return;
  }
  const auto again = oci::DecodeDocument(*text, media_type);
  Check(again && *again == document);
}

void CheckManifest(const Manifest& manifest) {
  Check(oci::KindOf(manifest.media_type) == MediaKind::kManifest);
  Check(manifest.layers.size() <= oci::kMaxLayers);
  CheckDescriptor(manifest.config);
  for (const Descriptor& layer : manifest.layers) CheckDescriptor(layer);
  if (CheckImage(manifest)) {
    for (const Descriptor& layer : manifest.layers)
      Check(oci::LayerMediaOf(layer.media_type).has_value());
  }
  CheckSame(manifest, EncodeManifest(manifest), manifest.media_type);
}

void CheckIndex(const Index& index) {
  Check(oci::KindOf(index.media_type) == MediaKind::kIndex);
  Check(index.manifests.size() <= oci::kMaxIndexEntries);
  for (const Descriptor& entry : index.manifests) {
    CheckDescriptor(entry);
    if (!entry.platform) continue;
    const auto chosen = ChooseManifest(index, *entry.platform);
    Check(!chosen || (*chosen >= index.manifests.data() &&
                      *chosen < index.manifests.data() + index.manifests.size()));
    if (!chosen || !(*chosen)->platform) continue;
    // One that leaves a part out says as little as one without: the image's configuration says it.
    const oci::Platform& platform = *(*chosen)->platform;
    const bool is_said = !platform.os.empty() && !platform.architecture.empty();
    Check(!is_said || Runs(*entry.platform, platform));
  }
  CheckSame(index, EncodeIndex(index), index.media_type);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  for (const std::string_view sent :
       {""sv, oci::kOciIndex, oci::kOciManifest, oci::kDockerList, oci::kDockerManifest}) {
    const auto document = oci::DecodeDocument(json, sent);
    if (!document) continue;
    if (const auto* manifest = std::get_if<Manifest>(&*document)) CheckManifest(*manifest);
    if (const auto* index = std::get_if<Index>(&*document)) CheckIndex(*index);
  }
  if (const auto images = oci::DecodeSavedImages(json)) {
    Check(!images->empty() && images->size() <= oci::kMaxSavedImages);
    for (const oci::SavedImage& image : *images) {
      Check(cay::archive::NormalizeEntryPath(image.config) == image.config);
      for (const auto& tag : image.tags) Check(!tag.tag.empty() && !tag.digest);
    }
  }
  static_cast<void>(oci::CheckLayout(json));
  return 0;
}
