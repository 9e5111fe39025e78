#include "engine/native/rootfs/attach.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ids/filesystem_ids.h"
#include "engine/native/ids/userns.h"
#include "engine/native/rootfs/cover.h"
#include "engine/native/rootfs/shown_cgroups.h"
#include "engine/native/rootfs/special_files.h"

namespace cay::engine::native {
namespace {

// Executable places of a template, which stay so (read-only) when everything writable is noexec.
constexpr std::array<const char*, 8> kExecutable = {"usr",   "bin",   "sbin",   "lib",
                                                    "lib32", "lib64", "libx32", "opt"};

// Places that stay writable when the root filesystem is read-only: for the work, for homes, for
// what programs put by.
constexpr std::array<const char*, 6> kWritable = {"home", "root",    "run",
                                                  "tmp",  "var/tmp", "workspace"};

Result<Fd> OpenBelow(const Fd& root, const char* path, uint64_t flags, uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve | RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return sys::OpenAt2(root.get(), path, how);
}

bool IsMissing(const Error& error) { return error.sys_errno() == ENOENT; }

Error NoPlaceFor(const std::string& target, const std::string& why) {
  return Error(ErrorCode::kInvalidArgument, Fault::kCaller,
               "the template has no proper " + target + ": " + why)
      .WithRemedy(target + " must be there and not be a symlink");
}

Result<bool> IsSymlink(const Fd& path) {
  struct stat info{};
  if (::fstat(path.get(), &info) < 0)
    return Failure(Error::FromErrno("looking at a mount's place"));
  return S_ISLNK(info.st_mode);
}

// The directory, made (0755) with its parents where it is missing.
Result<Fd> OpenOrMakeDirectory(const Fd& root, const std::string& target) {
  auto directory = OpenBelow(root, target.c_str(), O_PATH | O_DIRECTORY, 0);
  if (directory || !IsMissing(directory.error())) return directory;
  Fd current = TRY(OpenBelow(root, ".", O_PATH | O_DIRECTORY, 0));
  for (size_t end = 1; end <= target.size(); ++end) {
    if (end < target.size() && target[end] != '/') continue;
    const std::string prefix(target.substr(0, end));
    auto next = OpenBelow(root, prefix.c_str(), O_PATH | O_DIRECTORY, 0);
    if (!next && IsMissing(next.error())) {
      const std::string name = prefix.substr(prefix.rfind('/') + 1);
      TRY(sys::MkdirAt(current.get(), name.c_str(), 0755));
      next = OpenBelow(root, prefix.c_str(), O_PATH | O_DIRECTORY, 0);
    }
    current = TRY(std::move(next));
  }
  return current;
}

Result<Fd> OpenOrMakeFile(const Fd& root, const std::string& target) {
  auto file = OpenBelow(root, target.c_str(), O_PATH, 0);
  if (file || !IsMissing(file.error())) return file;
  const size_t slash = target.rfind('/');
  const Fd parent = TRY(OpenOrMakeDirectory(root, target.substr(0, slash)));
  TRY(sys::OpenAt(parent.get(), target.c_str() + slash + 1,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  return sys::OpenAt(parent.get(), target.c_str() + slash + 1, O_PATH | O_NOFOLLOW);
}

Result<Fd> OpenTarget(const Fd& root, const PlacedMount& placed) {
  switch (placed.place) {
    case Place::kDirectory:
    case Place::kHostDirectory:
      return OpenOrMakeDirectory(root, placed.target);
    case Place::kFile:
      return OpenOrMakeFile(root, placed.target);
    case Place::kRoot:
    case Place::kFixed:
      break;
  }
  auto fixed = OpenBelow(root, placed.target.c_str(), O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  if (!fixed) return Failure(NoPlaceFor(placed.target, fixed.error().message()));
  // A symlink in the last place can be opened like this; nothing can be mounted on it.
  if (TRY(IsSymlink(*fixed))) return Failure(NoPlaceFor(placed.target, "it is a symlink"));
  return fixed;
}

Result<void> Attach(const Fd& root, const PlacedMount& placed) {
  const Fd target = TRY(OpenTarget(root, placed));
  auto moved = sys::MoveMount(placed.mount, target, "");
  if (!moved) return Failure(std::move(moved).error().WithContext("mounting at " + placed.target));
  return {};
}

// What lay over the new root would be reached by "/..": nothing may.
Result<void> CheckAlone(const Fd& root) {
  const uint64_t id = TRY(MountIdOf(root.get(), ""));
  if (TRY(MountIdOf(AT_FDCWD, "/..")) == id && TRY(MountIdOf(AT_FDCWD, "/.")) == id) return {};
  return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "the host's tree did not go"));
}

// The mounted root takes the place of "/" and the host's tree goes: pivot_root(2), "." on ".".
Result<void> EnterRoot(const Fd& root) {
  if (::fchdir(root.get()) < 0) return Failure(Error::FromErrno("entering the root filesystem"));
  TRY(sys::PivotRoot(".", "."));
  TRY(sys::Umount(".", MNT_DETACH));
  if (::chdir("/") < 0) return Failure(Error::FromErrno("chdir to the new root"));
  return CheckAlone(root);
}

// Where the new root is hung for the moment before it is the root: a directory that every host has
// and every user may look up. What is mounted there already is what opens.
Result<Fd> OpenHook() { return sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY); }

// Looks for them with the rights that commands have there; what they cannot reach needs no cover.
Result<void> CoverSpecialFiles(const Covers& covers, const PlacedMount& placed, uint32_t owner) {
  const auto find = [&placed, owner] {
    const FilesystemIds as_user(owner);
    return FindSpecialFiles(placed.mount);
  };
  Result<SpecialFiles> found = find();
  if (!found) return Failure(std::move(found).error().WithContext("mounting at " + placed.target));
  if (!found->complete) {
    LogWarning("what is mounted at " + placed.target +
               " could not be looked through whole for sockets and FIFOs of the host (it is large, "
               "changes, or has directories that cannot be listed): those that were not found can "
               "be reached");
  }
  for (const Fd& place : found->places) TRY(covers.Put(place, "", Cover::kFile));
  return {};
}

Result<void> ForbidExecution(const Fd& root) {
  std::vector<PlacedMount> executable;
  for (const char* name : kExecutable) {
    const auto found =
        OpenBelow(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
    if (!found) continue;  // missing, or a symlink to a place that is in the list
    Fd tree = TRY(sys::OpenTree(root.get(), name, OPEN_TREE_CLONE | AT_RECURSIVE));
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    TRY(sys::MountSetattr(tree, read_only, false));
    executable.push_back({name, Place::kFixed, std::move(tree)});
  }
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOEXEC;
  TRY(sys::MountSetattr(root, attributes, false));
  for (const PlacedMount& placed : executable) TRY(Attach(root, placed));
  return {};
}

// The writable places become mounts of their own, with all that is mounted there; then everything
// of the template is read-only. A place that is missing or a symlink is not one: a template could
// lead it anywhere.
Result<void> ForbidWriting(const Fd& root, const std::vector<PlacedMount>& mounts) {
  std::vector<PlacedMount> writable;
  for (const char* name : kWritable) {
    const auto found =
        OpenBelow(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
    if (!found) continue;
    writable.push_back(
        {name, Place::kFixed,
         TRY(sys::OpenTree(found->get(), "", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH))});
  }
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  TRY(sys::MountSetattr(root, read_only, false));
  for (const PlacedMount& placed : mounts) {
    if (placed.place == Place::kFixed) TRY(sys::MountSetattr(placed.mount, read_only, false));
  }
  for (const PlacedMount& placed : writable) TRY(Attach(root, placed));
  return {};
}

}  // namespace

Result<OwnMounts> MakeOwnMounts(const AttachOptions& options) {
  const Fd proc_context = TRY(sys::FsOpen("proc"));
  TRY(sys::FsConfigCreate(proc_context));
  Fd proc =
      TRY(sys::FsMount(proc_context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  std::vector<ProcMask> masks = TRY(FindProcMasks(proc));

  const Fd pts_context = TRY(sys::FsOpen("devpts"));
  TRY(sys::FsConfigFlag(pts_context, "newinstance"));
  // Ptys of all sandboxes count against kernel.pty.max; none may take them all.
  TRY(sys::FsConfigString(pts_context, "max", "64"));
  TRY(sys::FsConfigString(pts_context, "mode", "0620"));
  TRY(sys::FsConfigString(pts_context, "ptmxmode", "0666"));
  if (!options.single_user) TRY(sys::FsConfigString(pts_context, "gid", "5"));
  TRY(sys::FsConfigCreate(pts_context));
  Fd pts = TRY(sys::FsMount(pts_context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));

  const bool has_cgroups = std::ranges::find(masks, kProcCgroups, &ProcMask::name) != masks.end();
  Covers covers =
      TRY(Covers::Make(has_cgroups ? TRY(ProcCgroupsWithoutCounts(proc)) : std::string()));
  return OwnMounts{.proc = std::move(proc),
                   .proc_masks = std::move(masks),
                   .covers = std::move(covers),
                   .pts = std::move(pts)};
}

Result<void> CoverAhead(OwnMounts& own) {
  auto covered = CoverProc(own.covers, own.proc, own.proc_masks);
  if (!covered && covered.error().sys_errno() != EINVAL) return covered;
  own.proc_is_covered = covered.has_value();
  if (!covered) LookAtMasked(own.proc, own.proc_masks);
  return {};
}

Result<void> AttachRoot(std::vector<PlacedMount> mounts, OwnMounts own,
                        const AttachOptions& options) {
  if (mounts.empty() || mounts.front().place != Place::kRoot) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine, "the first mount is not the root"));
  }
  // Below the root, so that they go with the host's tree: to close what is detached still takes a
  // grace period of the kernel, and before Linux 6.15 nothing is cloned of it.
  TRY(own.covers.Attach(TRY(OpenHook())));
  const Fd root = std::move(mounts.front().mount);
  TRY(sys::MoveMount(root, TRY(OpenHook()), ""));
  for (size_t i = 1; i < mounts.size(); ++i) TRY(Attach(root, mounts[i]));
  const PlacedMount proc{"/proc", Place::kFixed, std::move(own.proc)};
  TRY(Attach(root, proc));
  TRY(Attach(root, {"/dev/pts", Place::kFixed, std::move(own.pts)}));
  if (!own.proc_is_covered) TRY(CoverProc(own.covers, proc.mount, own.proc_masks));
  for (const PlacedMount& placed : mounts) {
    if (placed.place == Place::kHostDirectory)
      TRY(CoverSpecialFiles(own.covers, placed, options.owner));
  }
  if (options.noexec) TRY(ForbidExecution(root));
  if (options.read_only) TRY(ForbidWriting(root, mounts));
  return EnterRoot(root);
}

}  // namespace cay::engine::native
