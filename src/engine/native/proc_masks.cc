#include "engine/native/proc_masks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/sys.h"

namespace cay::engine::native {
namespace {

// What programs read: the C library and run times size themselves by cpuinfo, meminfo and stat, libselinux and mount
// look at filesystems, getloadavg(3) and uptime(1) at their namesakes. sysvipc shows the sandbox's own.
constexpr std::array<std::string_view, 13> kShown = {
    "cpuinfo", "filesystems", "loadavg", "meminfo",     "mounts", "net",    "self",
    "stat",    "sys",         "sysvipc", "thread-self", "uptime", "version"};

// Never changes and tells of nobody: not worth a cover. Addresses in iomem and ioports are zeros inside.
constexpr std::array<std::string_view, 6> kConstant = {"config.gz", "dma",     "execdomains",
                                                       "iomem",     "ioports", "mtrr"};

// Only the host's root may open them, who is nobody inside.
constexpr std::array<std::string_view, 5> kShutByTheirMode = {
    "kpagecgroup", "kpageflags", "pagetypeinfo", "slabinfo", "vmallocinfo"};

bool IsIn(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Of /proc/sys: what counts the objects of all sandboxes and the host together, and what names the machine's start.
constexpr std::array<const char*, 7> kCountsOfAll = {
    "fs/aio-nr",      "fs/dentry-state", "fs/file-nr",           "fs/inode-nr",
    "fs/inode-state", "kernel/pty/nr",   "kernel/random/boot_id"};

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

bool IsProcess(std::string_view name) { return name.front() >= '0' && name.front() <= '9'; }

Result<Fd> OpenBeneath(const Fd& directory, const char* name) {
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return sys::OpenAt2(directory.get(), name, how);
}

bool IsMissing(const Error& error) { return error.sys_errno() == ENOENT; }

Result<void> CoverSettings(Covers& covers, const Fd& proc) {
  const Fd settings = TRY(ReadOnlyClone(proc, "sys"));
  TRY(sys::MoveMount(settings, TRY(OpenBeneath(proc, "sys")), ""));
  for (const char* name : kCountsOfAll) {
    auto count = OpenBeneath(settings, name);
    if (!count && IsMissing(count.error())) continue;  // not every kernel has each
    TRY(covers.Put(TRY(std::move(count)), false));
  }
  return {};
}

// So that the kernel has them at hand when they are covered, and nobody waits for that.
void LookAtSettings(const Fd& proc) {
  struct stat info{};
  for (const char* name : kCountsOfAll) {
    ::fstatat(proc.get(), (std::string("sys/") + name).c_str(), &info, AT_SYMLINK_NOFOLLOW);
  }
}

}  // namespace

bool IsLeftInProc(std::string_view name) {
  return IsProcess(name) || IsIn(kShown, name) || IsIn(kConstant, name) ||
         IsIn(kShutByTheirMode, name);
}

Result<std::vector<ProcMask>> FindProcMasks(const Fd& proc) {
  Fd listing = TRY(sys::OpenAt(proc.get(), ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, DirCloser> entries(::fdopendir(listing.get()));
  if (!entries) return Failure(Error::FromErrno("listing /proc"));
  [[maybe_unused]] const int kept = std::move(listing).Release();  // closed with `entries`
  std::vector<ProcMask> masks;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] == '.' || IsLeftInProc(entry->d_name)) continue;
    if (entry->d_type == DT_LNK) continue;  // leads to another place below /proc
    masks.push_back({TRY(OpenBeneath(proc, entry->d_name)), entry->d_type == DT_DIR});
    errno = 0;
  }
  if (errno != 0) return Failure(Error::FromErrno("listing /proc"));
  LookAtSettings(proc);
  return masks;
}

Result<void> CoverProc(Covers& covers, const Fd& proc, const std::vector<ProcMask>& masks) {
  for (const ProcMask& mask : masks) TRY(covers.Put(mask.place, mask.directory));
  return CoverSettings(covers, proc);
}

}  // namespace cay::engine::native
