#include "template/export/pack_image.h"

#include <fcntl.h>

#include <memory>
#include <utility>

#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "template/export/layer_tar.h"
#include "template/layers/lower_chain.h"
#include "template/oci/document.h"
#include "template/oci/history.h"

namespace cay::templates {
namespace {

constexpr Bytes kRoomCheckInterval = 64 * kMiB;

// Digests and counts what goes through it.
class DigestingSink final : public archive::ByteSink {
 public:
  DigestingSink(archive::ByteSink& sink, oci::Digester digester)
      : sink_(sink), digester_(std::move(digester)) {}
  Result<void> Write(std::string_view bytes) override {
    TRY(digester_.Add(bytes));
    return sink_.Write(bytes);
  }
  Bytes size() const { return digester_.size(); }
  Result<oci::Digest> Finish() { return std::move(digester_).Finish(); }

 private:
  archive::ByteSink& sink_;
  oci::Digester digester_;
};

// Into a file on the state directory's disk, whose reserve is kept.
class SpoolSink final : public archive::ByteSink {
 public:
  explicit SpoolSink(const Fd& file) : file_(file) {}
  Result<void> Write(std::string_view bytes) override {
    if (size_ >= next_room_check_) {
      next_room_check_ = size_ + kRoomCheckInterval;
      if (const auto room = DiskRoomOf(file_)) TRY(CheckHostReserve(*room));
    }
    size_ += bytes.size();
    return WriteAll(file_.get(), bytes);
  }

 private:
  const Fd& file_;
  Bytes size_ = 0;
  Bytes next_room_check_ = 0;
};

std::string_view MediaTypeOf(archive::Compression compression) {
  switch (compression) {
    case archive::Compression::kGzip:
      return oci::kOciLayerGzip;
    case archive::Compression::kZstd:
      return oci::kOciLayerZstd;
    case archive::Compression::kNone:
      break;
  }
  return oci::kOciLayerTar;
}

Result<PackedLayer> PackLayer(const std::string& root, const Fd& spool,
                              archive::Compression compression, const LayerTarOptions& options) {
  const Fd directory = TRY(OpenLayerRoot(root));
  auto file = std::make_shared<const Fd>(TRY(MakeSpoolFile(spool)));
  SpoolSink to_file(*file);
  DigestingSink blob(to_file, TRY(oci::Digester::Start()));
  const auto compressed = TRY(archive::Compress(blob, compression));
  DigestingSink tar(*compressed, TRY(oci::Digester::Start()));
  TRY(WriteLayerTar(directory, tar, options));
  TRY(compressed->Finish());
  const Bytes size = blob.size();
  oci::Digest blob_digest = TRY(blob.Finish());
  oci::Digest diff_id = TRY(tar.Finish());
  return PackedLayer{.blob = {.media_type = std::string(MediaTypeOf(compression)),
                              .digest = std::move(blob_digest),
                              .size = size},
                     .diff_id = std::move(diff_id),
                     .file = {.file = std::move(file), .offset = 0, .size = size}};
}

// What sandboxes of an imported root filesystem have: PATH, its user, /workspace.
oci::ImageConfig ConfigOfRoot(const KeptTemplate& kept) {
  oci::ImageConfig config{.platform = oci::Platform::Native()};
  config.created = oci::TimestampOf(kept.metadata->info.imported_unix_ms);
  config.process.user = kept.metadata->user.name;
  config.process.working_dir = "/workspace";
  config.process.env = {std::string(kDefaultPath)};
  config.history.push_back({.created = config.created, .created_by = "cay template import"});
  return config;
}

}  // namespace

Result<PackedImage> PackImage(TemplateStore& store, const std::string& name,
                              const PackImageOptions& options) {
  const KeptTemplate kept = TRY(store.Open(name));
  std::vector<std::string> roots;
  for (const size_t index : TRY(LayersOfImage(*kept.metadata))) roots.push_back(kept.roots[index]);
  const Fd spool = TRY(store.OpenBlobs());
  std::vector<PackedLayer> layers;
  for (const std::string& root : roots) {
    LayerTarOptions tar;
    tar.on_progress = [&](Bytes bytes) -> Result<void> {
      if (!options.on_progress) return {};
      return options.on_progress({.layer = layers.size(), .layers = roots.size(), .bytes = bytes});
    };
    layers.push_back(TRY(PackLayer(root, spool, options.compression, tar)));
  }
  oci::ImageConfig config =
      kept.metadata->image ? kept.metadata->image->config : ConfigOfRoot(kept);
  const size_t below = config.diff_ids.size();
  if (kept.metadata->image && layers.size() > below) oci::CompleteHistory(config);
  for (size_t i = below; kept.metadata->image && i < layers.size(); ++i) {
    config.history.push_back({.created = oci::TimestampOf(kept.metadata->info.imported_unix_ms),
                              .created_by = "cay snapshot"});
  }
  config.diff_ids.clear();
  for (const PackedLayer& layer : layers) config.diff_ids.push_back(layer.diff_id);
  std::string config_bytes = TRY(oci::EncodeImageConfig(config));
  oci::Digest config_digest = TRY(oci::Digest::Of(config_bytes));
  oci::Manifest manifest{.media_type = std::string(oci::kOciManifest),
                         .config = {.media_type = std::string(oci::kOciConfig),
                                    .digest = std::move(config_digest),
                                    .size = config_bytes.size()}};
  for (const PackedLayer& layer : layers) manifest.layers.push_back(layer.blob);
  std::string manifest_bytes = TRY(oci::EncodeManifest(manifest));
  oci::Digest digest = TRY(oci::Digest::Of(manifest_bytes));
  oci::Descriptor descriptor{.media_type = manifest.media_type,
                             .digest = std::move(digest),
                             .size = manifest_bytes.size()};
  descriptor.platform = oci::Platform{.os = config.platform.os,
                                      .architecture = config.platform.architecture,
                                      .variant = config.platform.variant};
  return PackedImage{.name = kept.metadata->info.name,
                     .layers = std::move(layers),
                     .config = std::move(config),
                     .config_bytes = std::move(config_bytes),
                     .manifest = std::move(manifest),
                     .manifest_bytes = std::move(manifest_bytes),
                     .descriptor = std::move(descriptor)};
}

}  // namespace cay::templates
