#include "template/export/write_image.h"

#include <fcntl.h>

#include <map>
#include <variant>

#include "archive/tar_writer.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "json/json_writer.h"
#include "template/oci/docker_archive.h"

namespace cay::templates {
namespace {

constexpr std::string_view kLayoutVersion = R"({"imageLayoutVersion":"1.0.0"})";
// containerd, BuildKit and Docker read the whole reference here, and only a tag in the other one.
constexpr const char* kContainerdName = "io.containerd.image.name";

// The files of an image by their names: text, or a part of a file.
using Content = std::variant<std::string, FileRange>;
using Files = std::map<std::string, Content>;

Result<void> Copy(const Content& content, archive::ByteSink& sink) {
  if (const auto* const text = std::get_if<std::string>(&content)) return sink.Write(*text);
  const auto source = std::get<FileRange>(content).Open();
  std::vector<char> buffer(256 * kKiB);
  while (const size_t got = TRY(source->Read(buffer))) TRY(sink.Write({buffer.data(), got}));
  return {};
}

Bytes SizeOf(const Content& content) {
  if (const auto* const text = std::get_if<std::string>(&content)) return text->size();
  return std::get<FileRange>(content).size;
}

Result<void> WriteTar(const Files& files, const std::vector<std::string>& directories,
                      archive::ByteSink& sink) {
  archive::TarWriter writer(sink);
  for (const std::string& directory : directories) {
    archive::TarEntry entry;
    entry.type = archive::EntryType::kDirectory;
    entry.path = directory;
    entry.mode = 0755;
    TRY(writer.Begin(entry));
    TRY(writer.End());
  }
  struct MemberSink final : archive::ByteSink {
    explicit MemberSink(archive::TarWriter& to) : to_(to) {}
    Result<void> Write(std::string_view bytes) override { return to_.WriteData(bytes); }
    archive::TarWriter& to_;
  } member(writer);
  for (const auto& [name, content] : files) {
    archive::TarEntry entry;
    entry.path = name;
    entry.mode = 0644;
    entry.size = SizeOf(content);
    TRY(writer.Begin(entry));
    TRY(Copy(content, member));
    TRY(writer.End());
  }
  return writer.Finish();
}

Result<Files> LayoutFiles(const PackedImage& image, const oci::ImageReference& reference) {
  Files files;
  files.emplace(oci::kLayoutMark, std::string(kLayoutVersion));
  oci::Index index{.media_type = std::string(oci::kOciIndex)};
  oci::Descriptor& entry = index.manifests.emplace_back(image.descriptor);
  entry.annotations.emplace(oci::kRefNameAnnotation, reference.tag);
  entry.annotations.emplace(kContainerdName, reference.Canonical());
  files.emplace(oci::kLayoutIndex, TRY(oci::EncodeIndex(index)));
  files.emplace(oci::BlobPath(image.descriptor.digest), image.manifest_bytes);
  files.emplace(oci::BlobPath(image.manifest.config.digest), image.config_bytes);
  for (const PackedLayer& layer : image.layers)
    files.emplace(oci::BlobPath(layer.blob.digest), layer.file);
  return files;
}

}  // namespace

Result<void> WriteDockerArchive(const PackedImage& image, const oci::ImageReference& reference,
                                archive::ByteSink& sink) {
  Files files;
  const std::string config = std::string(image.manifest.config.digest.hex()) + ".json";
  files.emplace(config, image.config_bytes);
  JsonWriter json;
  json.BeginArray().BeginObject().Member("Config", config);
  json.Key("RepoTags").BeginArray().Value(reference.Familiar()).EndArray();
  json.Key("Layers").BeginArray();
  for (const PackedLayer& layer : image.layers) {
    if (layer.blob.digest != layer.diff_id) {
      return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                           "a docker archive has its layers without compression"));
    }
    const std::string name = std::string(layer.diff_id.hex()) + ".tar";
    files.emplace(name, layer.file);
    json.Value(name);
  }
  json.EndArray().EndObject().EndArray();
  files.emplace(oci::kSavedManifest, std::move(json).Take());
  return WriteTar(files, {}, sink);
}

Result<void> WriteOciArchive(const PackedImage& image, const oci::ImageReference& reference,
                             archive::ByteSink& sink) {
  return WriteTar(TRY(LayoutFiles(image, reference)), {"blobs/", "blobs/sha256/"}, sink);
}

Result<void> WriteOciLayout(const PackedImage& image, const oci::ImageReference& reference,
                            const std::string& directory) {
  TRY(MakeDirectories(directory + "/blobs/sha256", 0755));
  for (const auto& [name, content] : TRY(LayoutFiles(image, reference))) {
    const Fd file = TRY(sys::OpenAt(AT_FDCWD, (directory + "/" + name).c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    archive::FdSink sink(file);
    TRY(Copy(content, sink));
  }
  return {};
}

}  // namespace cay::templates
