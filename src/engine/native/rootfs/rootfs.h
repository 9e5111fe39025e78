// Rootfs: the filesystems of a sandbox, built as detached mounts that nobody can see until the
// child attaches them in its own mount namespace.
//
// Where they are built depends on the user. A launcher that is root builds in the initial user
// namespace and maps the ids of each layer to the sandbox's (mount_setattr(2), MOUNT_ATTR_IDMAP),
// so that what is on disk stays owned by 0 and 1000 whatever range a sandbox has. For an ordinary
// user the child builds, as root of its own user namespace, and layers keep the owners they have.
//
//   RootfsBuilder builder(options);
//   std::vector<PlacedMount> mounts = TRY(builder.Build(request, scratch));
//   // in the child, in this order: TRY(AttachRoot(mounts, staging_dir));
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/cgroup/cgroup.h"

namespace cay::engine::native {

inline constexpr size_t kMaxLayers = kMaxOverlayLayers;
inline constexpr size_t kMaxMounts = 64;
inline constexpr size_t kMaxVolumes = 16;

enum class Place : uint8_t {
  kRoot = 1,       // becomes "/"
  kFixed,          // a file or directory that must be there, and no symlink on the way to it
  kDirectory,      // a directory, made if it is not there
  kHostDirectory,  // likewise, of the host's: it may have sockets and FIFOs (special_files.h)
  kFile,           // a regular file, made if it is not there
};

struct PlacedMount {
  std::string target;
  Place place;
  Fd mount;
};

struct RootfsOptions {
  // Root only: the sandbox's user namespace, whose map the layers get. -1: no mapping.
  int idmap_userns = -1;
  // Root only: the host id of root inside; new files of Cay's own get this owner.
  uid_t root_uid = 0;
  // Where layers are attached for a moment on kernels (before 6.15) whose overlayfs takes no
  // detached ones: a directory in a mount namespace of our own.
  std::string staging_dir;
  bool attach_layers = false;
  bool idmap_scratch = false;  // what is in the scratch belongs to 0 on disk
  bool in_user_namespace = false;
  std::string inside_programs{};    // the tree of inside_programs.h; "": none
  std::vector<CgroupView> cgroups;  // what is shown of the sandbox's own (shown_cgroups.h)
};

class RootfsBuilder {
 public:
  explicit RootfsBuilder(RootfsOptions options) : options_(std::move(options)) {}

  // `scratch` holds N/upper and N/work for overlay N. With attach_layers it is another mount of the
  // same filesystem afterwards: one that was attached once cannot be attached again. The first
  // element is the root.
  Result<std::vector<PlacedMount>> Build(const CreateRequest& request, Fd& scratch);

  // What the overlays of the last build were made of, which they do not need any more. To close one
  // takes a grace period of the kernel, some 0.2 ms: do it when no request waits.
  std::vector<Fd> TakeLayers() { return std::exchange(layers_, {}); }

 private:
  Result<Fd> BuildOverlay(const CreateRequest& request, const Fd& scratch, size_t index);
  std::vector<std::string> LayersOf(const HostLayers& root, size_t index) const;
  Result<void> TakeAttributes(const Fd& layer, const Fd& scratch, size_t index) const;
  Result<std::vector<Fd>> BuildOverlays(const CreateRequest& request, Fd& scratch);
  Result<Fd> BuildDev() const;
  Result<Fd> OpenLayer(const std::string& path) const;
  Result<PlacedMount> BuildMount(const Mount& mount, uint32_t owner, bool noexec) const;
  Result<PlacedMount> BuildVolume(const VolumeMount& asked, uint32_t owner, bool noexec) const;

  RootfsOptions options_;
  std::vector<Fd> layers_;
};

// Whether a build failed because overlayfs (before Linux 6.15) takes no detached mounts: build
// again then, with attach_layers.
bool RefusesDetachedMounts(const Error& error);

// Whether this kernel's overlayfs is older than Linux 6.5: it takes neither layers one by one nor
// detached ones. (Those that take only the former are found out by a build that fails.)
// Needs the right to mount in the current user namespace; asks once.
bool OverlayIsOld();

// A tmpfs of `size` bytes: nosuid, nodev, and noexec when asked.
Result<Fd> MakeTmpfs(Bytes size, const char* mode, bool noexec);

}  // namespace cay::engine::native
