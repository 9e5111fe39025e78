#include "template/saved/saved_image.h"

#include <algorithm>
#include <array>
#include <set>

#include "archive/safe_path.h"
#include "template/oci/docker_archive.h"
#include "template/oci/manifest.h"

namespace cay::templates {
namespace {

using archive::Printable;

constexpr Bytes kMaxLayoutMark = 64 * kKiB;
constexpr size_t kMaxNested = 2;   // indexes in indexes, as of a registry
constexpr size_t kMaxListed = 20;  // names in a message
constexpr std::string_view kContainerdName = "io.containerd.image.name";

// The names by which an archive knows an image; the first is what it is called in messages.
using Names = std::vector<std::string>;

// "app:1.2" is also called "docker.io/library/app:1.2", and "1.2".
bool IsCalled(const std::string& name, const std::string& wanted) {
  if (name == wanted) return true;
  const auto parsed = oci::ImageReference::Parse(name);
  if (!parsed) return false;
  // A name without '/' and ':' is a tag, of a layout.
  if (name.find_first_of("/:") != std::string::npos && parsed->tag == wanted) return true;
  const auto other = oci::ImageReference::Parse(wanted);
  return other && *other == *parsed;
}

bool IsCalled(const Names& names, const std::string& wanted) {
  return std::ranges::any_of(names, [&](const auto& name) { return IsCalled(name, wanted); });
}

std::string List(const std::vector<Names>& images) {
  std::string text;
  size_t count = 0;
  for (const Names& names : images) {
    if (count++ == kMaxListed) return text + ", …";
    if (!text.empty()) text += ", ";
    text += names.empty() ? "(one without a name)" : Printable(names.front());
  }
  return text;
}

Error NoneOf(const std::string& tag, const std::vector<Names>& images) {
  return {ErrorCode::kNotFound, Fault::kCaller,
          "no image \"" + Printable(tag) + "\" is in it; there are: " + List(images)};
}

Error Several(const std::vector<Names>& images) {
  return Error::Invalid("it holds several images: " + List(images))
      .WithRemedy("choose one of them by its tag: --tag " +
                  (images.front().empty() ? "TAG" : Printable(images.front().front())));
}

// The only one that is meant.
Result<size_t> Choose(const std::vector<Names>& images, const std::string& tag) {
  std::vector<size_t> fit;
  for (size_t i = 0; i < images.size(); ++i)
    if (tag.empty() || IsCalled(images[i], tag)) fit.push_back(i);
  if (fit.size() == 1) return fit.front();
  if (fit.empty()) return Failure(NoneOf(tag, images));
  std::vector<Names> left;
  for (const size_t index : fit) left.push_back(images[index]);
  return Failure(Several(left));
}

Result<void> CheckPlatform(const oci::ImageConfig& config, const oci::Platform& wanted) {
  if (oci::Runs(wanted, config.platform)) return {};
  return Failure(
      Error(ErrorCode::kNotFound, Fault::kCaller,
            "it is an image for " + config.platform.Text() + ", not for " + wanted.Text()));
}

std::string CountLayers(std::string_view what, size_t count) {
  return std::string(what) + " of " + std::to_string(count) + (count == 1 ? " layer" : " layers");
}

// --- docker save

bool IsHex64(std::string_view text) {
  return text.size() == Sha256::kHexLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Its file is named by its digest: "ba78….json", "blobs/sha256/ba78…". Whoever names it otherwise
// says nothing of it.
Result<void> CheckConfigName(const std::string& path, std::string_view bytes) {
  std::string_view name = archive::SplitLast(path).name;
  if (name.ends_with(".json")) name.remove_suffix(std::string_view(".json").size());
  if (!IsHex64(name)) return {};
  return oci::VerifyDigest(bytes, TRY(oci::Digest::Parse("sha256:" + std::string(name))));
}

// The beginnings of gzip and zstd (RFC 1952, RFC 8878).
Result<bool> IsCompressed(const FileRange& file) {
  std::array<char, 4> start{};
  const auto source = file.Open();
  size_t have = 0;
  while (have < start.size()) {
    const size_t got = TRY(source->Read(std::span(start).subspan(have)));
    if (got == 0) break;
    have += got;
  }
  const std::string_view bytes(start.data(), have);
  return bytes.starts_with("\x1f\x8b") || bytes.starts_with("\x28\xb5\x2f\xfd");
}

// Nothing but the content's digest is known of a layer of `docker save`: of one that is stored
// compressed the other one is made, so that reading it twice gives the same.
Result<SavedImageFound::Layer> SavedLayer(const FileRange& file, const oci::Digest& diff_id) {
  oci::Descriptor blob{
      .media_type = std::string(oci::kOciLayerTar), .digest = diff_id, .size = file.size};
  if (TRY(IsCompressed(file))) {
    oci::Digester digester = TRY(oci::Digester::Start());
    const auto source = file.Open();
    std::vector<char> buffer(256 * kKiB);
    while (const size_t got = TRY(source->Read(buffer))) TRY(digester.Add({buffer.data(), got}));
    blob.digest = TRY(std::move(digester).Finish());
  }
  return SavedImageFound::Layer{.blob = std::move(blob), .file = file};
}

Result<SavedImageFound> FindDocker(const ImageFiles& files, const ImageWish& wish) {
  const std::string name(oci::kSavedManifest);
  const std::string document = TRY(files.Read(name, oci::kMaxDocument));
  auto images = oci::DecodeSavedImages(document);
  if (!images) return Failure(std::move(images).error().WithContext(name));
  std::vector<Names> names;
  for (const oci::SavedImage& image : *images) {
    Names& tags = names.emplace_back();
    for (const oci::ImageReference& tag : image.tags) tags.push_back(tag.Familiar());
  }
  const size_t index = TRY(Choose(names, wish.tag));
  const oci::SavedImage& image = (*images)[index];
  const std::string bytes = TRY(files.Read(image.config, oci::kMaxImageConfig));
  TRY(CheckConfigName(image.config, bytes));
  auto decoded = TRY(oci::DecodeImageConfig(bytes));
  SavedImageFound found{.what = CountLayers("a docker archive", image.layers.size()),
                        .config = std::move(decoded)};
  TRY(CheckPlatform(found.config, wish.platform));
  const std::vector<oci::Digest>& diff_ids = found.config.diff_ids;
  if (diff_ids.size() != image.layers.size()) {
    return Failure(Error::Invalid(name + " has " + std::to_string(image.layers.size()) +
                                  " layers of the image, its configuration " +
                                  std::to_string(diff_ids.size())));
  }
  for (size_t i = 0; i < image.layers.size(); ++i)
    found.layers.push_back(TRY(SavedLayer(TRY(files.Get(image.layers[i])), diff_ids[i])));
  if (image.tags.size() == 1) found.reference = image.tags.front().Canonical();
  return found;
}

// --- OCI layout

Names NamesOf(const oci::Descriptor& entry) {
  Names names;
  for (const std::string_view annotation : {kContainerdName, oci::kRefNameAnnotation}) {
    const auto found = entry.annotations.find(std::string(annotation));
    if (found != entry.annotations.end() && !found->second.empty()) names.push_back(found->second);
  }
  return names;
}

// A whole reference; "1.2" alone is none.
std::string ReferenceOf(const Names& names) {
  for (const std::string& name : names) {
    if (name.find_first_of("/:") == std::string::npos) continue;
    if (const auto parsed = oci::ImageReference::Parse(name)) return parsed->Canonical();
  }
  return "";
}

Result<FileRange> BlobOf(const ImageFiles& files, const oci::Descriptor& descriptor) {
  const std::string path = oci::BlobPath(descriptor.digest);
  FileRange file = TRY(files.Get(path));
  if (file.size == descriptor.size) return file;
  return Failure(Error::Invalid("\"" + path + "\" has " + std::to_string(file.size) +
                                " bytes, and not " + std::to_string(descriptor.size)));
}

Result<std::string> ReadBlob(const ImageFiles& files, const oci::Descriptor& descriptor,
                             Bytes max) {
  TRY(BlobOf(files, descriptor));
  std::string bytes = TRY(files.Read(oci::BlobPath(descriptor.digest), max));
  TRY(oci::VerifyDigest(bytes, descriptor.digest));
  return bytes;
}

// Entries of one image are those for its platforms: they have one name, or none has any.
Result<oci::Descriptor> ChooseEntry(const oci::Index& index, const ImageWish& wish) {
  std::set<Names> distinct;
  oci::Index left;
  std::vector<Names> all;
  for (const oci::Descriptor& entry : index.manifests) {
    const Names names = NamesOf(entry);
    all.push_back(names);
    if (!wish.tag.empty() && !IsCalled(names, wish.tag)) continue;
    left.manifests.push_back(entry);
    distinct.insert(names);
  }
  if (index.manifests.empty()) return Failure(Error::Invalid("its index.json names no image"));
  if (left.manifests.empty()) return Failure(NoneOf(wish.tag, all));
  if (distinct.size() > 1) return Failure(Several({distinct.begin(), distinct.end()}));
  if (left.manifests.size() == 1) return left.manifests.front();
  return *TRY(oci::ChooseManifest(left, wish.platform));
}

struct FoundManifest {
  oci::Manifest manifest;
  oci::Digest digest;
};

// Through indexes to the manifest for the platform.
Result<FoundManifest> Descend(const ImageFiles& files, oci::Descriptor descriptor,
                              const oci::Platform& platform) {
  for (size_t depth = 0; depth <= kMaxNested; ++depth) {
    const std::string bytes = TRY(ReadBlob(files, descriptor, oci::kMaxDocument));
    auto document = oci::DecodeDocument(bytes, descriptor.media_type);
    if (!document)
      return Failure(std::move(document).error().WithContext(descriptor.digest.text()));
    if (auto* const found = std::get_if<oci::Manifest>(&*document))
      return FoundManifest{.manifest = std::move(*found), .digest = descriptor.digest};
    const oci::Descriptor chosen =
        *TRY(oci::ChooseManifest(std::get<oci::Index>(*document), platform));
    descriptor = chosen;
  }
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "it has indexes in indexes, more than " + std::to_string(kMaxNested)));
}

Result<SavedImageFound> FindLayout(const ImageFiles& files, const ImageWish& wish) {
  TRY(oci::CheckLayout(TRY(files.Read(std::string(oci::kLayoutMark), kMaxLayoutMark))));
  const std::string index_name(oci::kLayoutIndex);
  auto index = oci::DecodeIndex(TRY(files.Read(index_name, oci::kMaxDocument)), "");
  if (!index) return Failure(std::move(index).error().WithContext(index_name));
  const oci::Descriptor entry = TRY(ChooseEntry(*index, wish));
  const auto [manifest, digest] = TRY(Descend(files, entry, wish.platform));
  TRY(oci::CheckImage(manifest));
  const std::string config = TRY(ReadBlob(files, manifest.config, oci::kMaxImageConfig));
  auto decoded = TRY(oci::DecodeImageConfig(config));
  SavedImageFound found{
      .what = CountLayers(files.is_directory() ? "an OCI layout" : "an OCI archive",
                          manifest.layers.size()),
      .reference = ReferenceOf(NamesOf(entry)),
      .digest = digest.text(),
      .config = std::move(decoded)};
  TRY(oci::CheckLayers(found.config, manifest));
  TRY(CheckPlatform(found.config, wish.platform));
  for (const oci::Descriptor& layer : manifest.layers) {
    FileRange file = TRY(BlobOf(files, layer));
    found.layers.push_back({.blob = layer, .file = std::move(file)});
  }
  return found;
}

}  // namespace

Result<SavedImageFound> FindSavedImage(const ImageFiles& files, const ImageWish& wish) {
  if (TRY(files.Has(std::string(oci::kLayoutMark))) &&
      TRY(files.Has(std::string(oci::kLayoutIndex)))) {
    return FindLayout(files, wish);
  }
  return FindDocker(files, wish);
}

}  // namespace cay::templates
