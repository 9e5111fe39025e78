// Images as files: what `docker save` and `podman save` write, and the OCI image layout. Only what
// their documents say; who reads the archive finds the files. Pure.
//
// The two overlap: since Docker 25 an archive of `docker save` is an OCI layout too, and its
// manifest.json names files below blobs/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/oci/digest.h"
#include "template/oci/image_reference.h"
#include "template/oci/manifest.h"

namespace cay::templates::oci {

inline constexpr std::string_view kSavedManifest = "manifest.json";  // of `docker save`
inline constexpr std::string_view kLayoutMark = "oci-layout";        // image-layout.md
inline constexpr std::string_view kLayoutIndex = "index.json";       // DecodeIndex(…, "")
inline constexpr size_t kMaxSavedImages = 1000;
inline constexpr size_t kMaxSavedTags = 1000;  // of each image

// Annotation of a layout's index: the tag, or the whole reference, of an image.
inline constexpr std::string_view kRefNameAnnotation = "org.opencontainers.image.ref.name";

// Paths are those of entries of the archive, normalised: relative, without "." and "..".
struct SavedImage {
  std::string config;                  // path of the configuration
  std::vector<ImageReference> tags{};  // may be none; each with a tag and without a digest
  std::vector<std::string> layers{};   // paths of the layers, the lowest first

  friend bool operator==(const SavedImage&, const SavedImage&) = default;
};

// manifest.json: at least one image. `repositories`, the older file beside it, says nothing more
// and is not read. kInvalidArgument, kLimitTooHigh. A path says nothing of what is there: the
// digests of the layers are those of the configuration's diff_ids.
Result<std::vector<SavedImage>> DecodeSavedImages(std::string_view json);

// The file oci-layout: kNotSupported unless its version is 1.x.
Result<void> CheckLayout(std::string_view json);

// "blobs/sha256/ba78…": where a layout has it.
std::string BlobPath(const Digest& digest);

}  // namespace cay::templates::oci
