#include "template/oci/docker_archive.h"

#include <algorithm>

#include "archive/safe_path.h"
#include "base/text.h"
#include "base/units.h"
#include "template/oci/document.h"

namespace cay::templates::oci {
namespace {

constexpr Bytes kMaxPath = 4096;
constexpr Bytes kMaxLayoutMark = 64 * kKiB;

Result<std::string> PathAt(const std::string& where, std::string_view path) {
  auto normalized = archive::NormalizeEntryPath(path);
  if (!normalized) {
    return Failure(std::move(normalized).error().WithContext("\"" + where + "\""));
  }
  if (normalized->empty()) {
    return Failure(Error::Invalid("\"" + where + "\" names no file"));
  }
  return normalized;
}

Result<ImageReference> TagAt(const std::string& where, std::string_view text) {
  auto reference = ImageReference::Parse(text);
  if (!reference) return Failure(std::move(reference).error().WithContext("\"" + where + "\""));
  if (reference->digest) {
    return Failure(Error::Invalid("\"" + where + "\" has a digest, where only a tag can be"));
  }
  return reference;
}

Result<SavedImage> ReadSavedImage(const JsonValue& value, std::string where) {
  DocumentFields fields = TRY(DocumentFields::Of(value, std::move(where)));
  SavedImage image;
  if (fields.Find("Config") == nullptr) return Failure(fields.Missing("Config"));
  const std::string config = TRY(fields.Text("Config", kMaxPath));
  image.config = TRY(PathAt(fields.Inside("Config"), config));
  for (const std::string& tag : TRY(fields.Texts("RepoTags", kMaxSavedTags, kMaxPath))) {
    image.tags.push_back(TRY(TagAt(fields.Inside("RepoTags", image.tags.size()), tag)));
  }
  for (const std::string& layer : TRY(fields.Texts("Layers", kMaxLayers, kMaxPath))) {
    image.layers.push_back(TRY(PathAt(fields.Inside("Layers", image.layers.size()), layer)));
  }
  TRY(fields.Finish());
  return image;
}

}  // namespace

Result<std::vector<SavedImage>> DecodeSavedImages(std::string_view json) {
  const JsonValue root = TRY(ParseJsonOfAtMost(json, kMaxDocument));
  const auto* array = root.AsArray();
  if (array == nullptr) return Failure(WrongKind("the document", "an array of images", root));
  if (array->empty()) return Failure(Error::Invalid("the archive has no image"));
  if (array->size() > kMaxSavedImages) {
    return Failure(
        OverLimit("the archive has more than " + std::to_string(kMaxSavedImages) + " images"));
  }
  std::vector<SavedImage> images;
  for (const JsonValue& value : *array) {
    images.push_back(TRY(ReadSavedImage(value, "[" + std::to_string(images.size()) + "]")));
  }
  return images;
}

Result<void> CheckLayout(std::string_view json) {
  const JsonValue root = TRY(ParseDocument(json, kMaxLayoutMark));
  DocumentFields fields = TRY(DocumentFields::Of(root, ""));
  const std::string version = TRY(fields.Text("imageLayoutVersion", 64));
  if (version.empty()) return Failure(fields.Missing("imageLayoutVersion"));
  const auto parts = Split(version, '.');
  const bool numbers = std::ranges::all_of(
      parts, [](std::string_view part) { return ParseUnsigned(part).has_value(); });
  if (parts.size() != 3 || !numbers || parts.front() != "1") {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kCaller,
              "the version of the OCI layout is \"" + archive::Printable(version) + "\", not 1.x"));
  }
  return fields.Finish();
}

std::string BlobPath(const Digest& digest) {
  return "blobs/" + std::string(digest.algorithm_name()) + "/" + std::string(digest.hex());
}

}  // namespace cay::templates::oci
