#include "engine/native/rootfs/proc_masks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// What programs read: the C library and run times size themselves by cpuinfo, meminfo and stat,
// libselinux and mount look at filesystems, getloadavg(3) and uptime(1) at their namesakes. sysvipc
// shows the sandbox's own.
constexpr std::array<std::string_view, 13> kShown = {
    "cpuinfo", "filesystems", "loadavg", "meminfo",     "mounts", "net",    "self",
    "stat",    "sys",         "sysvipc", "thread-self", "uptime", "version"};

// Never changes and tells of nobody: not worth a cover. Addresses in iomem and ioports are zeros
// inside.
constexpr std::array<std::string_view, 6> kConstant = {"config.gz", "dma",     "execdomains",
                                                       "iomem",     "ioports", "mtrr"};

// Only the host's root may open them, who is nobody inside.
constexpr std::array<std::string_view, 5> kShutByTheirMode = {
    "kpagecgroup", "kpageflags", "pagetypeinfo", "slabinfo", "vmallocinfo"};

bool IsIn(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Of /proc/sys: what counts the objects of all sandboxes and the host together, and what names the
// machine's start.
constexpr std::array<const char*, 7> kCountsOfAll = {
    "fs/aio-nr",      "fs/dentry-state", "fs/file-nr",           "fs/inode-nr",
    "fs/inode-state", "kernel/pty/nr",   "kernel/random/boot_id"};

bool IsProcess(std::string_view name) { return name.front() >= '0' && name.front() <= '9'; }

bool IsMissing(const Error& error) { return error.sys_errno() == ENOENT; }

Result<void> CoverSettings(const Covers& covers, const Fd& proc) {
  const Fd settings = TRY(ReadOnlyClone(proc, "sys"));
  TRY(sys::MoveMount(settings, proc, "sys"));
  for (const char* name : kCountsOfAll) {
    auto covered = covers.Put(settings, name, Cover::kFile);
    if (!covered && !IsMissing(covered.error())) return covered;  // not every kernel has each
  }
  return {};
}

void LookAt(const Fd& proc, const std::string& name) {
  struct stat info{};
  ::fstatat(proc.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW);
}

void AddMasks(std::span<const std::byte> entries, std::vector<ProcMask>& masks) {
  while (!entries.empty()) {
    const auto* entry = reinterpret_cast<const dirent64*>(entries.data());
    const std::string_view name = entry->d_name;
    // A symlink leads to another place below /proc.
    if (!name.starts_with('.') && entry->d_type != DT_LNK && !IsLeftInProc(name))
      masks.push_back({std::string(name), entry->d_type == DT_DIR});
    entries = entries.subspan(entry->d_reclen);
  }
}

}  // namespace

bool IsLeftInProc(std::string_view name) {
  return IsProcess(name) || IsIn(kShown, name) || IsIn(kConstant, name) ||
         IsIn(kShutByTheirMode, name);
}

Result<std::vector<ProcMask>> FindProcMasks(const Fd& proc) {
  const Fd directory = TRY(sys::OpenAt(proc.get(), ".", O_RDONLY | O_DIRECTORY));
  std::vector<ProcMask> masks;
  // By hand: readdir(3) takes 32 KiB of memory, which a process that was just forked gets page by
  // page.
  alignas(dirent64) std::array<std::byte, 2048> buffer;
  while (true) {
    const ssize_t size = ::getdents64(directory.get(), buffer.data(), buffer.size());
    if (size < 0) return Failure(Error::FromErrno("listing /proc"));
    if (size == 0) break;
    AddMasks(std::span(buffer).first(static_cast<size_t>(size)), masks);
  }
  return masks;
}

void LookAtMasked(const Fd& proc, const std::vector<ProcMask>& masks) {
  for (const ProcMask& mask : masks) LookAt(proc, mask.name);
  for (const char* name : kCountsOfAll) LookAt(proc, std::string("sys/") + name);
}

Result<void> CoverProc(const Covers& covers, const Fd& proc, const std::vector<ProcMask>& masks) {
  for (const ProcMask& mask : masks) {
    const Cover file = mask.name == kProcCgroups ? Cover::kText : Cover::kFile;
    TRY(covers.Put(proc, mask.name.c_str(), mask.directory ? Cover::kDirectory : file));
  }
  return CoverSettings(covers, proc);
}

}  // namespace cay::engine::native
