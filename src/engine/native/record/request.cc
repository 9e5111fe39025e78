#include "engine/native/record/request.h"

#include <linux/limits.h>

#include <algorithm>

#include "engine/native/ids/userns.h"
#include "engine/native/record/request_fields.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/rootfs/scratch.h"
#include "volume/volume_dir.h"

namespace cay::engine::native {
namespace {

constexpr size_t kMaxLabel = 4096;
constexpr size_t kMaxHostname = 64;  // __NEW_UTS_LEN
constexpr Bytes kMinMemory = 4 * kMiB;
constexpr uint32_t kMinPids = 4;  // the guest, its spawner, a command and what it starts
constexpr uint32_t kMaxPids = 4'194'304;
constexpr uint64_t kMinOpenFiles = 16;

// Absolute, every component a name: no "", "." or "..", no NUL.
bool IsPlainPath(std::string_view path) {
  if (path == "/") return true;
  if (path.empty() || path.front() != '/' || path.size() >= PATH_MAX) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  path.remove_prefix(1);
  while (true) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == ".." || name.size() > NAME_MAX) return false;
    if (slash == path.size()) return true;
    path.remove_prefix(slash + 1);
  }
}

bool IsAtOrBelow(std::string_view path, std::string_view top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

Result<void> CheckTarget(const std::string& target) {
  if (!IsPlainPath(target) || target == "/") {
    return Failure(Error::Impossible("cannot mount at \"" + target + "\"")
                       .WithRemedy("name an absolute path without \"..\", as in /workspace/data"));
  }
  for (const std::string_view own : {"/proc", "/sys", "/dev"}) {
    if (IsAtOrBelow(target, own)) {
      return Failure(Error::Impossible("cannot mount at " + target + ": " + std::string(own) +
                                       " belongs to the sandbox itself"));
    }
  }
  return {};
}

Result<void> CheckRoot(const HostLayers& root) {
  const bool shaped = !root.overlays.empty() && root.overlays.size() <= kMaxOverlays &&
                      root.overlays.front().target == "/" && !root.overlays.front().read_only;
  if (!shaped) {
    return Failure(Error::Invalid("a root filesystem has 1 to " + std::to_string(kMaxOverlays) +
                                  " overlays, and the first is /, where something can be written"));
  }
  for (const Overlay& overlay : root.overlays) {
    if (&overlay != &root.overlays.front()) TRY(CheckTarget(overlay.target));
    if (overlay.layers.empty() || overlay.layers.size() > kMaxLayers ||
        !std::ranges::all_of(overlay.layers, IsPlainPath)) {
      return Failure(Error::Invalid("an overlay has 1 to " + std::to_string(kMaxLayers) +
                                    " layers, each an absolute path"));
    }
  }
  return {};
}

Result<void> CheckHostname(std::string_view hostname) {
  const bool valid = !hostname.empty() && hostname.size() <= kMaxHostname &&
                     std::ranges::all_of(hostname, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '.';
                     });
  if (valid) return {};
  return Failure(Error::Invalid("not a host name: \"" + std::string(hostname) + "\"")
                     .WithRemedy("use at most 64 letters, digits, hyphens and dots"));
}

Result<void> CheckVolumes(const std::vector<VolumeMount>& volumes) {
  if (volumes.size() > kMaxVolumes)
    return Failure(Error::Impossible("more than " + std::to_string(kMaxVolumes) + " volumes"));
  for (const VolumeMount& volume : volumes) {
    if (!IsPlainPath(volume.directory)) {
      return Failure(Error::Invalid("not the path of a volume: \"" + volume.directory + "\""));
    }
    TRY(CheckTarget(volume.target));
    if (std::ranges::count(volumes, volume.directory, &VolumeMount::directory) > 1) {
      return Failure(Error::Impossible("a sandbox cannot have volume " +
                                       volume::NameOfDirectory(volume.directory) + " twice"));
    }
  }
  return {};
}

Result<void> AtLeast(const char* name, uint64_t value, uint64_t least, const std::string& written) {
  if (value >= least) return {};
  return Failure(
      Error::Impossible("the " + std::string(name) + " limit must be at least " + written));
}

}  // namespace

Result<void> CheckIsOfHostLayers(const RootFilesystem& root) {
  if (std::holds_alternative<HostLayers>(root)) return {};
  const LayerReference other = LayersOf(root).front();
  const bool is_image = other.kind == LayerReference::Kind::kImage;
  return Failure(
      Error(ErrorCode::kNotSupported, Fault::kCaller,
            "the native engine makes no root filesystem of " +
                std::string(is_image ? "the image " : "the disk image ") +
                other.name.substr(0, PATH_MAX))
          .WithRemedy("import it as a template: " + Remedy(Action::kImportTemplate, "NAME")));
}

Result<void> ValidateLimits(const Limits& limits) {
  TRY(AtLeast("memory", limits.memory, kMinMemory, FormatBytes(kMinMemory)));
  TRY(AtLeast("cpus", limits.cpus, 10, "0.01"));
  TRY(AtLeast("pids", limits.pids, kMinPids, std::to_string(kMinPids)));
  TRY(AtLeast("disk", limits.disk, kMinScratchDisk, FormatBytes(kMinScratchDisk)));
  TRY(AtLeast("open_files", limits.open_files, kMinOpenFiles, std::to_string(kMinOpenFiles)));
  if (limits.pids > kMaxPids) {
    return Failure(Error::Impossible("the pids limit must be at most " + std::to_string(kMaxPids)));
  }
  if (limits.disk % 4096 != 0) {
    return Failure(Error::Impossible("the disk limit must be a multiple of 4k"));
  }
  return {};
}

Result<void> ValidateRequest(const CreateRequest& request) {
  TRY(CheckIsOfHostLayers(request.root));
  const HostLayers& root = HostLayersOf(request.root);
  TRY(CheckRoot(root));
  TRY(ValidateLimits(request.limits));
  TRY(CheckHostname(request.hostname));
  if (!root.hostname.empty()) TRY(CheckHostname(root.hostname));
  if (request.owner != kUserId && request.owner != 0) {
    return Failure(Error::Invalid("a sandbox belongs to its user 1000 or 0"));
  }
  if (request.mounts.size() + request.tmpfs.size() > kMaxMounts) {
    return Failure(Error::Impossible("more than " + std::to_string(kMaxMounts) + " mounts"));
  }
  TRY(CheckVolumes(request.volumes));
  for (const Mount& mount : request.mounts) {
    if (!IsPlainPath(mount.source)) {
      return Failure(Error::Invalid("not an absolute path to mount: \"" + mount.source + "\""));
    }
    TRY(CheckTarget(mount.target));
  }
  for (const Tmpfs& tmpfs : request.tmpfs) {
    TRY(CheckTarget(tmpfs.target));
    TRY(AtLeast("tmpfs size", tmpfs.size, 4 * kKiB, "4k"));
  }
  if (request.label.size() > kMaxLabel) {
    return Failure(
        Error::Invalid("a label is longer than " + std::to_string(kMaxLabel) + " bytes"));
  }
  return {};
}

std::string EncodeLimits(const Limits& limits) { return protocol::Encode(limits); }

Result<Limits> DecodeLimits(std::string_view bytes) { return protocol::Decode<Limits>(bytes); }

std::string EncodeRequest(const CreateRequest& request) { return protocol::Encode(request); }

Result<CreateRequest> DecodeRequest(std::string_view bytes, const SandboxId& id) {
  CreateRequest request(id, {});
  TRY(protocol::DecodeInto(bytes, request));
  TRY(ValidateRequest(request));
  if (request.id == id) return request;
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "a request for another sandbox"));
}

}  // namespace cay::engine::native
