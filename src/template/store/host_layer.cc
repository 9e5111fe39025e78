#include "template/store/host_layer.h"

#include <fcntl.h>
#include <sys/file.h>

#include <string_view>

#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "template/host/host_sources.h"
#include "template/host/skeleton.h"

namespace cay::templates {
namespace {

constexpr size_t kMaxStampBytes = 4 << 20;
constexpr std::string_view kLayerLine = "layer ";
constexpr size_t kLayerIdLength = 20;

Result<void> WriteSkeletonStamp(const LayerStore& layers, const Skeleton& skeleton) {
  return WriteFileAtomic(layers.directory() + "/.host.stamp",
                         std::string(kLayerLine) + skeleton.layer + "\n" + skeleton.stamp, 0600);
}

std::optional<Skeleton> ReadFreshSkeleton(const LayerStore& layers) {
  std::optional<Skeleton> skeleton = ReadSkeleton(layers);
  if (skeleton && !StampHolds("/", skeleton->stamp)) skeleton.reset();
  return skeleton;
}

Result<Skeleton> BuildSkeleton(LayerStore& layers) {
  const HostSources sources = TRY(HostSources::Scan("/"));
  Skeleton skeleton{{}, StampOf(sources)};
  NewLayer layer = TRY(layers.Begin());
  skeleton.layer = layer.id();
  LayerTree tree = TRY(LayerTree::Open(layer.root()));
  TRY(WriteHostSkeleton(tree, sources));
  TRY(layers.Publish(std::move(layer), [&] { return WriteSkeletonStamp(layers, skeleton); }));
  return skeleton;
}

}  // namespace

std::optional<Skeleton> ReadSkeleton(const LayerStore& layers) {
  const Result<std::string> text = ReadFile(layers.directory() + "/.host.stamp", kMaxStampBytes);
  const size_t header = kLayerLine.size() + kLayerIdLength + 1;
  if (!text || text->size() <= header || !text->starts_with(kLayerLine)) return std::nullopt;
  Skeleton skeleton{text->substr(kLayerLine.size(), kLayerIdLength), text->substr(header)};
  if (!IsLayerId(skeleton.layer)) return std::nullopt;
  return skeleton;
}

Result<Skeleton> CurrentSkeleton(LayerStore& layers) {
  if (std::optional<Skeleton> fresh = ReadFreshSkeleton(layers)) return *std::move(fresh);
  const std::string path = layers.directory() + "/.host.lock";
  const Fd lock =
      TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  while (::flock(lock.get(), LOCK_EX) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("locking " + path));
  }
  if (std::optional<Skeleton> fresh = ReadFreshSkeleton(layers)) return *std::move(fresh);
  Skeleton built = TRY(BuildSkeleton(layers));
  if (Result<uint64_t> collected = layers.Collect(); !collected) {
    LogWarning("old layers stay: " + collected.error().ToString());
  }
  return built;
}

}  // namespace cay::templates
