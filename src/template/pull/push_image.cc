#include "template/pull/push_image.h"

#include <memory>
#include <set>
#include <utility>

#include "archive/byte_stream.h"
#include "template/export/pack_image.h"
#include "template/registry/registry_push.h"

namespace cay::templates {
namespace {

using Stage = PullProgress::Stage;

class Push {
 public:
  Push(TemplateStore& store, registry::RegistryClient& client, const PushOptions& options,
       const registry::CallOptions& call)
      : store_(store), client_(client), options_(options), call_(call) {}

  Result<oci::Digest> Run() {
    if (options_.image.digest) {
      return Failure(Error::Invalid("an image is pushed by a tag: its digest is what comes of it"));
    }
    PackImageOptions pack{.compression = options_.compression};
    pack.on_progress = [this](const PackProgress& now) -> Result<void> {
      if (call_.Stopped()) {
        Error stopped(ErrorCode::kUnavailable, Fault::kCaller, "the push was stopped");
        stopped.set_sys_errno(ECANCELED);
        return Failure(std::move(stopped));
      }
      // Bytes of one layer at a time come: what the layers before had is added.
      if (now.layer != packing_) {
        packed_ += last_;
        packing_ = now.layer;
      }
      last_ = now.bytes;
      Tell({.stage = Stage::kPacking, .done = packed_ + last_});
      return {};
    };
    const PackedImage image = TRY(PackImage(store_, options_.name, pack));
    // An image may have the same layer several times.
    std::set<std::string> sent;
    for (const PackedLayer& layer : image.layers)
      if (sent.insert(layer.blob.digest.text()).second) TRY(SendLayer(layer));
    const auto config = [&]() -> Result<registry::Ask::Source> {
      auto source = std::make_shared<archive::StringSource>(image.config_bytes);
      return [source](std::span<char> space) { return source->Read(space); };
    };
    TRY(registry::PushBlob(client_, options_.image, image.manifest.config, config, "", call_));
    return registry::PushDocument(client_, options_.image, image.manifest_bytes,
                                  image.manifest.media_type, call_);
  }

 private:
  void Tell(const PullProgress& progress) {
    if (options_.on_progress) options_.on_progress(progress);
  }

  Result<void> SendLayer(const PackedLayer& layer) {
    PullProgress now{.stage = Stage::kSending,
                     .layer = layer.blob.digest.text(),
                     .done = 0,
                     .total = layer.blob.size};
    Tell(now);
    const auto open = [&]() -> Result<registry::Ask::Source> {
      now.done = 0;
      std::shared_ptr<archive::ByteSource> source = layer.file.Open();
      return [this, &now, source](std::span<char> space) -> Result<size_t> {
        const size_t got = TRY(source->Read(space));
        now.done += got;
        Tell(now);
        return got;
      };
    };
    const auto pushed =
        TRY(registry::PushBlob(client_, options_.image, layer.blob, open, "", call_));
    now.stage = pushed == registry::PushedBlob::kUploaded ? Stage::kSent : Stage::kWasThere;
    now.done = now.total;
    Tell(now);
    return {};
  }

  TemplateStore& store_;
  registry::RegistryClient& client_;
  const PushOptions& options_;
  const registry::CallOptions& call_;
  size_t packing_ = 0;
  Bytes packed_ = 0;
  Bytes last_ = 0;
};

}  // namespace

Result<oci::Digest> PushImage(TemplateStore& store, registry::RegistryClient& client,
                              const PushOptions& options, const registry::CallOptions& call) {
  return Push(store, client, options, call).Run();
}

}  // namespace cay::templates
