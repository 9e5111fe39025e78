#include "template/pull/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "archive/byte_stream.h"
#include "base/os/sys.h"
#include "template/registry/blob_download.h"
#include "template/space/make_room.h"

namespace cay::templates {
namespace {

// More than any disk has, and its double is still a number.
constexpr Bytes kMostCounted = Bytes{1} << 60;

// A stored layer, from its file.
class FileSource : public archive::ByteSource {
 public:
  explicit FileSource(Fd file) : file_(std::move(file)), source_(file_) {}
  Result<size_t> Read(std::span<char> space) override { return source_.Read(space); }

 private:
  Fd file_;
  archive::FdSource source_;
};

class Pull {
 public:
  Pull(TemplateStore& store, registry::RegistryClient& client, const PullOptions& options,
       const registry::CallOptions& call)
      : store_(store), client_(client), options_(options), call_(call) {}

  Result<TemplateInfo> Run() {
    const auto fetched = TRY(client_.FetchImage(options_.image, options_.platform, call_));
    const auto here = store_.InfoOf(options_.name);
    const Came came = here && here->came == Came::kByHand ? Came::kByHand : options_.came;
    if (options_.keep_same && here && here->digest == fetched.found.digest.text()) {
      if (came == Came::kByHand) TRY(store_.KeepByHand(options_.name));
      return store_.InfoOf(options_.name);
    }
    NewImage image;
    image.origin.reference = options_.image.Canonical();
    image.origin.digest = fetched.found.digest.text();
    image.origin.config = fetched.config;
    image.layers = fetched.manifest.layers;
    const std::vector<oci::Descriptor> missing = TRY(FindMissing(image));
    TRY(MakeRoomFor(missing));
    const Fd blobs = TRY(store_.OpenBlobs());
    // What is fetched is not collected meanwhile.
    while (::flock(blobs.get(), LOCK_SH) < 0)
      if (errno != EINTR) return Failure(Error::FromErrno("locking what is fetched"));
    TRY(Fetch(missing, blobs));
    ImportOptions import;
    import.came = came;
    import.check_room = RoomCheck(store_);
    import.max_bytes = options_.max_bytes;
    import.replace = options_.replace;
    import.is_stopped = options_.is_stopped;
    import.on_progress = [this](const ImportProgress& now) {
      Tell({.stage = PullProgress::Stage::kUnpacking, .done = now.bytes});
    };
    auto added = store_.AddImage(
        options_.name, image, [&](size_t index) { return Open(image.layers[index], blobs); },
        import);
    // What was fetched is a layer now; of a pull that failed it is gone on with.
    if (!added) return added;
    for (const oci::Descriptor& layer : image.layers)
      ::unlinkat(blobs.get(), registry::BlobFileName(layer.digest).c_str(), 0);
    return added;
  }

 private:
  void Tell(const PullProgress& progress) {
    if (options_.on_progress) options_.on_progress(progress);
  }

  Result<std::vector<oci::Descriptor>> FindMissing(const NewImage& image) const {
    const std::vector<bool> here = TRY(store_.FindLayers(image));
    std::vector<oci::Descriptor> missing;
    for (size_t i = 0; i < here.size(); ++i)
      if (!here[i]) missing.push_back(image.layers[i]);
    return missing;
  }

  // As they are stored, and once more unpacked: how much larger that is, is seen then.
  Result<void> MakeRoomFor(const std::vector<oci::Descriptor>& missing) {
    Bytes need = 0;
    for (const oci::Descriptor& layer : missing)
      need = std::min(kMostCounted, need + 2 * std::min(layer.size, kMostCounted));
    return MakeRoom(store_, need);
  }

  Result<void> Fetch(const std::vector<oci::Descriptor>& missing, const Fd& blobs) {
    // All that there is to fetch is known from the beginning.
    for (const oci::Descriptor& layer : missing)
      Tell({.layer = layer.digest.text(), .total = layer.size});
    registry::DownloadOptions download;
    download.on_progress = [this](const registry::BlobProgress& now) {
      Tell({.stage = now.is_whole ? PullProgress::Stage::kFetched : PullProgress::Stage::kFetching,
            .layer = now.descriptor.digest.text(),
            .done = now.done,
            .total = now.descriptor.size});
    };
    TRY(registry::DownloadBlobs(client_, options_.image, missing, blobs, call_, download));
    return {};
  }

  // One that was here a moment ago, and has been removed since, is fetched after all.
  Result<std::unique_ptr<archive::ByteSource>> Open(const oci::Descriptor& layer, const Fd& blobs) {
    const std::string name = registry::BlobFileName(layer.digest);
    auto file = sys::OpenAt(blobs.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!file && file.error().sys_errno() == ENOENT) {
      TRY(registry::DownloadBlob(client_, options_.image, layer, blobs, call_));
      file = sys::OpenAt(blobs.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (!file) return Failure(std::move(file).error());
    return std::make_unique<FileSource>(*std::move(file));
  }

  TemplateStore& store_;
  registry::RegistryClient& client_;
  const PullOptions& options_;
  const registry::CallOptions& call_;
};

}  // namespace

Result<TemplateInfo> PullImage(TemplateStore& store, registry::RegistryClient& client,
                               const PullOptions& options, const registry::CallOptions& call) {
  return Pull(store, client, options, call).Run();
}

}  // namespace cay::templates
