#include "engine/native/rootfs/rootfs.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/os/sys.h"
#include "engine/native/ids/filesystem_ids.h"
#include "engine/native/ids/userns.h"
#include "engine/native/rootfs/inside_programs.h"
#include "engine/native/rootfs/shown_cgroups.h"
#include "volume/volume_dir.h"

namespace cay::engine::native {
namespace {

// No file has it (0xfffffffe is the nobody of some network filesystems, 0xffffffff is no id).
constexpr gid_t kGroupOfNoFile = 0xffff'fffd;

constexpr unsigned kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
// Documentation/admin-guide/devices.txt
constexpr std::array<Device, 6> kDevices = {{{"null", 1, 3},
                                             {"zero", 1, 5},
                                             {"full", 1, 7},
                                             {"random", 1, 8},
                                             {"urandom", 1, 9},
                                             {"tty", 5, 0}}};

struct Link {
  const char* name;
  const char* target;
};
constexpr std::array<Link, 5> kLinks = {{{"fd", "/proc/self/fd"},
                                         {"stdin", "/proc/self/fd/0"},
                                         {"stdout", "/proc/self/fd/1"},
                                         {"stderr", "/proc/self/fd/2"},
                                         {"ptmx", "pts/ptmx"}}};

std::string FdPath(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

Result<void> SetAttributes(const Fd& mount, uint64_t set, uint64_t clear, int userns) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  if (userns >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(userns);
  }
  return sys::MountSetattr(mount, attributes, false);
}

// Attached at STAGING/N while it lives; paths through the mount's descriptor lead there, too.
class StagedMount {
 public:
  static Result<StagedMount> Attach(const Fd& mount, const std::string& staging, unsigned number) {
    StagedMount staged(staging + "/" + std::to_string(number));
    if (auto made = sys::MkdirAt(AT_FDCWD, staged.path_.c_str(), 0700);
        !made && made.error().sys_errno() != EEXIST) {
      return Failure(std::move(made).error());
    }
    const Fd target = TRY(sys::OpenAt(AT_FDCWD, staged.path_.c_str(), O_PATH | O_NOFOLLOW));
    TRY(sys::MoveMount(mount, target, ""));
    staged.attached_ = true;
    return staged;
  }
  StagedMount(StagedMount&& other) noexcept
      : path_(std::move(other.path_)), attached_(std::exchange(other.attached_, false)) {}
  StagedMount(const StagedMount&) = delete;
  StagedMount& operator=(const StagedMount&) = delete;
  StagedMount& operator=(StagedMount&&) = delete;
  ~StagedMount() {
    if (attached_) ::umount2(path_.c_str(), MNT_DETACH);
  }

 private:
  explicit StagedMount(std::string path) : path_(std::move(path)) {}
  std::string path_;
  bool attached_ = false;
};

struct OverlayPaths {
  std::vector<std::string> lower;
  std::string upper;
  std::string work;
};

Result<void> SetLowerLayers(const Fd& context, const std::vector<std::string>& lower) {
  if (!OverlayIsOld()) {
    for (const std::string& path : lower) {
      TRY(sys::FsConfigString(context, "lowerdir+", path.c_str()));
    }
    return {};
  }
  // One string of at most 255 bytes.
  std::string joined;
  for (const std::string& path : lower) joined += (joined.empty() ? "" : ":") + path;
  if (joined.size() > 255) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "this kernel's overlayfs cannot take so many layers")
                       .WithRemedy("use Linux 6.5 or newer"));
  }
  return sys::FsConfigString(context, "lowerdir", joined.c_str());
}

Error DetachedRefused() {
  Error error(ErrorCode::kNotSupported, Fault::kMachine,
              "this kernel's overlayfs does not take the template's layers");
  error.set_sys_errno(EINVAL);
  return std::move(error).WithRemedy("use Linux 6.15 or newer, or a layer on an ordinary disk");
}

struct OverlayRules {
  bool in_user_namespace;
  bool is_volatile;
  bool renames_directories;
  bool read_only;
};

Result<Fd> MountOverlay(const OverlayPaths& paths, const OverlayRules& rules) {
  const Fd context = TRY(sys::FsOpen("overlay"));
  TRY(SetLowerLayers(context, paths.lower));
  TRY(sys::FsConfigString(context, "upperdir", paths.upper.c_str()));
  TRY(sys::FsConfigString(context, "workdir", paths.work.c_str()));
  for (const char* option : {"index", "metacopy"}) {
    TRY(sys::FsConfigString(context, option, "off"));
  }
  if (rules.in_user_namespace) {
    TRY(sys::FsConfigFlag(context, "userxattr"));
  } else if (rules.renames_directories) {
    // So that a directory of the template can be renamed. What it was called is noted in an
    // attribute of the upper layer that nobody inside can set, and imported layers come without
    // (trusted.*).
    TRY(sys::FsConfigString(context, "redirect_dir", "on"));
  } else {
    // Followed all the same: a layer below may be what a sandbox wrote that could rename.
    TRY(sys::FsConfigString(context, "redirect_dir", "follow"));
  }
  // No fsync ever reaches the disk: code inside cannot slow the host with it. Such an upper layer
  // must not be mounted again, so only what is never started twice has it.
  if (rules.is_volatile) TRY(sys::FsConfigFlag(context, "volatile"));
  auto created = sys::FsConfigCreate(context);
  if (!created && created.error().sys_errno() == EINVAL) return Failure(DetachedRefused());
  TRY(std::move(created));
  return sys::FsMount(context, kSafe | (rules.read_only ? unsigned{MOUNT_ATTR_RDONLY} : 0U));
}

// Host ids of a mount, and what they are inside: `id` is the owner's. The sandbox's other ids stand
// for themselves, so that they can make files there at all, which belong on the host to a number
// that is nobody's but this sandbox's.
std::vector<IdMapping> OwnerMap(uid_t id, uid_t root, uint32_t owner) {
  constexpr uint32_t kIds = 65'536;
  std::vector<IdMapping> map = {{id, root + owner, 1}};
  const bool own = id >= root && id - root < kIds;  // a file that a sandbox made
  if (own) return map;
  if (owner > 0) map.push_back({root, root, owner});
  map.push_back({root + owner + 1, root + owner + 1, kIds - owner - 1});
  return map;
}

}  // namespace

bool RefusesDetachedMounts(const Error& error) {
  return error.code() == ErrorCode::kNotSupported && error.sys_errno() == EINVAL;
}

bool OverlayIsOld() {
  // An old one takes any option when it is set, and complains when the filesystem is created.
  static const bool takes_anything = [] {
    const auto context = sys::FsOpen("overlay");
    return context && sys::FsConfigString(*context, "cay-no-such-option", "").has_value();
  }();
  return takes_anything;
}

Result<Fd> MakeTmpfs(Bytes size, const char* mode, bool noexec) {
  const Fd context = TRY(sys::FsOpen("tmpfs"));
  TRY(sys::FsConfigString(context, "size", std::to_string(size).c_str()));
  TRY(sys::FsConfigString(context, "nr_inodes", std::to_string(size / 4096 + 16).c_str()));
  TRY(sys::FsConfigString(context, "mode", mode));
  TRY(sys::FsConfigCreate(context));
  return sys::FsMount(context, kSafe | (noexec ? unsigned{MOUNT_ATTR_NOEXEC} : 0U));
}

Result<Fd> RootfsBuilder::OpenLayer(const std::string& path) const {
  if (options_.in_user_namespace) return sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
  auto layer = sys::OpenTree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE);
  if (!layer) return layer;
  auto mapped = SetAttributes(*layer, MOUNT_ATTR_RDONLY | kSafe, 0, options_.idmap_userns);
  // A filesystem without idmapped mounts (NFS, FUSE …) still serves: its files belong to nobody
  // inside.
  if (!mapped && mapped.error().sys_errno() != EINVAL) return Failure(std::move(mapped).error());
  return layer;
}

// The directory that an overlay shows is that of its writable layer: it gets what the topmost layer
// has. (The root of all is root's, 0755, in every sandbox.)
Result<void> RootfsBuilder::TakeAttributes(const Fd& layer, const Fd& scratch, size_t index) const {
  struct stat info{};
  if (::fstat(layer.get(), &info) < 0) return Failure(Error::FromErrno("looking at a layer"));
  const mode_t mode = info.st_mode & 01777;
  const uid_t root = options_.root_uid;
  if (mode == 0755 && info.st_uid == root && info.st_gid == root) return {};
  // Of a layer that could not be mapped: nobody's.
  const auto is_of_sandbox = [root](uint32_t id) { return id >= root && id - root < 65'536; };
  if (!is_of_sandbox(info.st_uid) || !is_of_sandbox(info.st_gid)) return {};
  const std::string path = std::to_string(index) + "/upper";
  const Fd upper =
      TRY(sys::OpenAt(scratch.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::fchown(upper.get(), info.st_uid, info.st_gid) < 0 || ::fchmod(upper.get(), mode) < 0)
    return Failure(Error::FromErrno("making the directory of an overlay"));
  return {};
}

// What a sandbox has besides is below all layers of the template.
std::vector<std::string> RootfsBuilder::LayersOf(const HostLayers& root, size_t index) const {
  std::vector<std::string> layers = root.overlays[index].layers;
  const bool usr_is_apart = std::ranges::any_of(
      root.overlays, [](const Overlay& overlay) { return overlay.target == "/usr"; });
  std::string programs =
      InsideProgramsOf(options_.inside_programs, root.overlays[index].target, usr_is_apart);
  if (!programs.empty()) layers.push_back(std::move(programs));
  return layers;
}

Result<Fd> RootfsBuilder::BuildOverlay(const CreateRequest& request, const Fd& scratch,
                                       size_t index) {
  const std::string writable = FdPath(scratch) + "/" + std::to_string(index);
  OverlayPaths paths{.lower = {}, .upper = writable + "/upper", .work = writable + "/work"};
  std::vector<StagedMount> staged;
  const Overlay& overlay = HostLayersOf(request.root).overlays[index];
  const size_t topmost = layers_.size();
  for (const std::string& layer : LayersOf(HostLayersOf(request.root), index)) {
    layers_.push_back(TRY(OpenLayer(layer)));
    paths.lower.push_back(FdPath(layers_.back()));
    if (!options_.attach_layers || options_.in_user_namespace) continue;
    const auto slot = static_cast<unsigned>(staged.size());
    staged.push_back(TRY(StagedMount::Attach(layers_.back(), options_.staging_dir, slot)));
  }
  if (index > 0 && !options_.in_user_namespace)
    TRY(TakeAttributes(layers_[topmost], scratch, index));
  return MountOverlay(paths, {.in_user_namespace = options_.in_user_namespace,
                              .is_volatile = request.lifetime == Lifetime::kEphemeral,
                              .renames_directories = request.renames_directories,
                              .read_only = overlay.read_only});
}

Result<std::vector<Fd>> RootfsBuilder::BuildOverlays(const CreateRequest& request, Fd& scratch) {
  std::optional<StagedMount> staged;
  if (options_.attach_layers) {
    staged.emplace(TRY(StagedMount::Attach(scratch, options_.staging_dir, kMaxLayers + 1)));
  }
  std::vector<Fd> overlays;
  for (size_t i = 0; i < HostLayersOf(request.root).overlays.size(); ++i) {
    overlays.push_back(TRY(BuildOverlay(request, scratch, i)));
  }
  if (staged) scratch = TRY(sys::OpenTree(scratch.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  return overlays;
}

Result<Fd> RootfsBuilder::BuildDev() const {
  const Fd context = TRY(sys::FsOpen("tmpfs"));
  TRY(sys::FsConfigString(context, "size", "64k"));
  TRY(sys::FsConfigString(context, "nr_inodes", "32"));
  TRY(sys::FsConfigString(context, "mode", "0755"));
  TRY(sys::FsConfigCreate(context));
  Fd dev = TRY(sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  for (const Device& device : kDevices) {
    // In a user namespace nodes cannot be made: the host's are bound over empty files.
    const mode_t type = options_.in_user_namespace ? S_IFREG : S_IFCHR;
    const dev_t number = options_.in_user_namespace ? 0 : ::makedev(device.major, device.minor);
    TRY(sys::MknodAt(dev.get(), device.name, type | 0666, number));
  }
  for (const Link& link : kLinks) TRY(sys::SymlinkAt(link.target, dev.get(), link.name));
  for (const char* name : {"pts", "shm", "mqueue"}) TRY(sys::MkdirAt(dev.get(), name, 0755));
  TRY(SetAttributes(dev, MOUNT_ATTR_RDONLY, 0, -1));
  return dev;
}

// The owner of what is mounted is the sandbox's user inside, and everybody else is nobody: what
// that user writes there belongs to that owner and to no other user of the host. Read-only, no
// group has a mapping: then the kernel refuses to write to anything there, and so to connect to a
// socket, which a read-only mount does not keep anybody from (special_files.h).
Result<PlacedMount> RootfsBuilder::BuildMount(const Mount& mount, uint32_t owner,
                                              bool noexec) const {
  // The path has no symlinks (whoever allowed it has resolved it), and none is followed that
  // somebody made since: code with a writable mount could, below it.
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const Fd found = TRY(sys::OpenAt2(AT_FDCWD, mount.source.c_str(), how));
  Fd source = TRY(sys::OpenTree(found.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  struct stat info{};
  if (::fstat(source.get(), &info) < 0)
    return Failure(Error::FromErrno("looking at " + mount.source));
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    return Failure(Error::Invalid("cannot mount " + mount.source +
                                  ": neither a directory nor a regular file"));
  }
  const uint64_t set = kSafe | (mount.read_only ? uint64_t{MOUNT_ATTR_RDONLY}
                                                : (noexec ? uint64_t{MOUNT_ATTR_NOEXEC} : 0));
  if (options_.in_user_namespace) {
    TRY(SetAttributes(source, set, 0, -1));
  } else {
    const uid_t root = options_.root_uid;
    const Fd owner_map =
        TRY(mount.read_only ? MakeUserns({IdMapping{info.st_uid, root + owner, 1}},
                                         {IdMapping{kGroupOfNoFile, root + owner, 1}})
                            : MakeUserns(OwnerMap(info.st_uid, root, owner),
                                         OwnerMap(info.st_gid, root, owner)));
    auto mapped = SetAttributes(source, set, 0, owner_map.get());
    if (!mapped && mapped.error().sys_errno() == EINVAL && mount.read_only) {
      mapped = SetAttributes(source, set, 0, -1);
    }
    if (!mapped) return Failure(std::move(mapped).error().WithContext("mounting " + mount.source));
  }
  return PlacedMount{mount.target, S_ISDIR(info.st_mode) ? Place::kHostDirectory : Place::kFile,
                     std::move(source)};
}

// What is on it has the owners that it has inside, whatever range the sandbox has.
Result<PlacedMount> RootfsBuilder::BuildVolume(const VolumeMount& asked, uint32_t owner,
                                               bool noexec) const {
  if (options_.in_user_namespace) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine, "an ordinary user cannot mount volumes"));
  }
  Fd mount = TRY(volume::MountVolume(asked.directory,
                                     asked.read_only ? volume::Use::kRead : volume::Use::kWrite));
  if (!asked.read_only) TRY(volume::GiveTop(mount, owner));
  const uint64_t set = kSafe | (asked.read_only ? uint64_t{MOUNT_ATTR_RDONLY}
                                                : (noexec ? uint64_t{MOUNT_ATTR_NOEXEC} : 0));
  TRY(SetAttributes(mount, set, 0, options_.idmap_userns));
  return PlacedMount{asked.target, Place::kDirectory, std::move(mount)};
}

Result<std::vector<PlacedMount>> RootfsBuilder::Build(const CreateRequest& request, Fd& scratch) {
  // Files made meanwhile belong to the mapped root; and an overlay made meanwhile writes to its
  // idmapped upper layer as that root. Without it overlayfs finds that uid 0 has no mapping there
  // (EOVERFLOW) and silently turns read-only. Capabilities stay: the launcher runs with
  // SECBIT_NO_SETUID_FIXUP.
  const std::optional<FilesystemIds> as_mapped_root =
      options_.in_user_namespace ? std::nullopt
                                 : std::optional<FilesystemIds>(std::in_place, options_.root_uid);
  if (options_.idmap_scratch) TRY(SetAttributes(scratch, 0, 0, options_.idmap_userns));
  std::vector<PlacedMount> mounts;
  std::vector<Fd> overlays = TRY(BuildOverlays(request, scratch));
  for (size_t i = 0; i < overlays.size(); ++i) {
    mounts.push_back({HostLayersOf(request.root).overlays[i].target,
                      i == 0 ? Place::kRoot : Place::kFixed, std::move(overlays[i])});
  }
  for (const Mount& mount : request.mounts)
    mounts.push_back(TRY(BuildMount(mount, request.owner, request.noexec)));
  for (const VolumeMount& volume : request.volumes)
    mounts.push_back(TRY(BuildVolume(volume, request.owner, request.noexec)));
  for (const Tmpfs& tmpfs : request.tmpfs) {
    Fd made = TRY(MakeTmpfs(tmpfs.size, "1777", request.noexec));
    mounts.push_back({tmpfs.target, Place::kDirectory, std::move(made)});
  }
  Fd dev = TRY(BuildDev());
  mounts.push_back({"/dev", Place::kFixed, std::move(dev)});
  Fd shm = TRY(MakeTmpfs(request.limits.memory, "1777", request.noexec));
  mounts.push_back({"/dev/shm", Place::kDirectory, std::move(shm)});
  AddClonedCgroups(options_.cgroups, mounts);
  if (options_.in_user_namespace) {
    for (const Device& device : kDevices) {
      const std::string path = std::string("/dev/") + device.name;
      Fd node = TRY(sys::OpenTree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE));
      TRY(SetAttributes(node, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, -1));
      mounts.push_back({path, Place::kFixed, std::move(node)});
    }
  }
  return mounts;
}

}  // namespace cay::engine::native
