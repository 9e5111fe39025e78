#include "engine/native/probe/probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/linux_abi.h"
#include "base/os/sys.h"
#include "base/units.h"
#include "engine/native/cgroup/cgroup_discover.h"
#include "engine/native/probe/probe_child.h"
#include "engine/native/spawn/confine.h"
#include "engine/native/spawn/core_helper.h"

namespace cay::engine::native {
namespace {

struct FeatureNames {
  std::string_view key;
  std::string_view name;
};

constexpr std::array<FeatureNames, kFeatureCount> kNames = {{
    {"user_namespace", "user namespace"},
    {"id_maps", "maps of user ids"},
    {"mount_namespace", "mount namespace"},
    {"pid_namespace", "pid namespace"},
    {"uts_namespace", "uts namespace"},
    {"ipc_namespace", "ipc namespace"},
    {"network_namespace", "network namespace"},
    {"cgroup_namespace", "cgroup namespace"},
    {"mount_proc", "a /proc of its own"},
    {"tmpfs", "tmpfs"},
    {"devpts", "devpts"},
    {"overlay", "overlayfs"},
    {"namespace_limits", "limits on nested namespaces"},
    {"no_new_privileges", "no_new_privs"},
    {"seccomp", "seccomp filters"},
    {"seccomp_listeners", "listeners of seccomp filters"},
    {"landlock_scopes", "Landlock scopes"},
    {"network_redirect", "nftables redirect"},
    {"network_lookup", "BPF sk_lookup"},
    {"idmapped_mounts", "idmapped mounts (state directory)"},
    {"idmapped_usr", "idmapped mounts (/usr)"},
    {"overlay_on_idmapped", "overlayfs on idmapped mounts"},
    {"loop_devices", "loop devices"},
    {"make_ext4", "mke2fs"},
    {"clone_into_cgroup", "CLONE_INTO_CGROUP"},
    {"cgroup_kill", "cgroup.kill"},
    {"pidfd", "pidfd_open"},
    {"close_range", "close_range"},
    {"openat2", "openat2"},
    {"executable_memfd", "executable memfd"},
}};

constexpr unsigned kMfdExec = 0x10;                  // linux/memfd.h, 6.3
constexpr unsigned long kKvmGetApiVersion = 0xAE00;  // linux/kvm.h
constexpr int kKvmApiVersion = 12;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::optional<int64_t> ReadNumber(const std::string& path) {
  Result<std::string> text = ReadFile(path, 4096);
  if (!text) return std::nullopt;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const Result<uint64_t> number = ParseUnsigned(*text, INT64_MAX);
  return number ? std::optional<int64_t>(static_cast<int64_t>(*number)) : std::nullopt;
}

Outcome TryLoop() {
  Result<Fd> control = sys::OpenAt(AT_FDCWD, "/dev/loop-control", O_RDWR);
  if (!control) return control.error().sys_errno();
  const int number = ::ioctl(control->get(), LOOP_CTL_GET_FREE);
  if (number < 0) return errno;
  Result<Fd> device = sys::OpenAt(AT_FDCWD, ("/dev/loop" + std::to_string(number)).c_str(), O_RDWR);
  return device ? kWorks : device.error().sys_errno();
}

Outcome TryMke2fs() {
  for (const char* path : {"/sbin/mke2fs", "/usr/sbin/mke2fs", "/usr/local/sbin/mke2fs"}) {
    if (::access(path, X_OK) == 0) return kWorks;
  }
  return ENOENT;
}

// The kernel looks at the cgroup descriptor before it makes anything: one that is no cgroup's tells
// whether it knows the flag (EBADF) or not (E2BIG, EINVAL).
Outcome TryCloneIntoCgroup() {
  const Result<Fd> root = sys::OpenAt(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  if (!root) return root.error().sys_errno();
  clone_args args{};
  args.flags = abi::kCloneIntoCgroup;
  args.cgroup = static_cast<uint64_t>(root->get());
  const long made = ::syscall(SYS_clone3, &args, sizeof args);
  if (made == 0) ::_exit(0);
  return made < 0 && errno == EBADF ? kWorks : errno;
}

// Every group but the top one has the file. `mount` is where a cgroup v2 tree is.
Outcome TryCgroupKill(const std::string& mount) {
  const std::unique_ptr<DIR, DirCloser> listing(::opendir(mount.c_str()));
  if (!listing) return errno;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) continue;
    const std::string file = mount + "/" + entry->d_name + "/cgroup.kill";
    return ::access(file.c_str(), F_OK) == 0 ? kWorks : EOPNOTSUPP;
  }
  return ::access((mount + "/cgroup.kill").c_str(), F_OK) == 0 ? kWorks : kNotTried;
}

Outcome TryExecutableMemfd() {
  int raw = ::memfd_create("cay-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec);
  if (raw < 0 && errno == EINVAL) {
    raw = ::memfd_create("cay-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  if (raw < 0) return errno;  // EACCES: vm.memfd_noexec is 2
  const Fd fd = Fd::Adopt(raw);
  struct stat info{};
  if (::fstat(raw, &info) < 0) return errno;
  return (info.st_mode & S_IXUSR) != 0 ? kWorks : EACCES;
}

// The file that limits swap; in v2 the top group does not have it.
bool HasSwapAccounting(const CgroupMap& map) {
  for (const CgroupPlace& place : map.places) {
    if (place.controllers.Contains(Controller::kMemory)) {
      return ::access((place.mount_point + "/memory.memsw.limit_in_bytes").c_str(), F_OK) == 0;
    }
  }
  for (const CgroupPlace& place : map.places) {
    if (!place.v2) continue;
    const std::unique_ptr<DIR, DirCloser> listing(::opendir(place.mount_point.c_str()));
    while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
      const std::string file = place.mount_point + "/" + entry->d_name + "/memory.swap.max";
      if (entry->d_type == DT_DIR && ::access(file.c_str(), F_OK) == 0) return true;
    }
  }
  return false;
}

std::optional<bool> HasSocketLimits(const CgroupMap& map) {
  for (const CgroupPlace& place : map.places) {
    if (place.v2 || !place.controllers.Contains(Controller::kMemory)) continue;
    // Not in the top group of a container's own.
    const std::string file = place.mount_point + "/memory.kmem.tcp.limit_in_bytes";
    return ::access(file.c_str(), F_OK) == 0;
  }
  return std::nullopt;
}

// The third of the numbers in the file, which are pages.
uint64_t MostBytes(const char* file) {
  const auto text = ReadFile(file);
  uint64_t pages = 0;
  if (text && std::sscanf(text->c_str(), "%*u %*u %" SCNu64, &pages) != 1) pages = 0;
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return pages > UINT64_MAX / page ? UINT64_MAX : pages * page;
}

Result<void> LookAtCgroups(Facts& facts) {
  const CgroupMap map = TRY(DescribeCgroups(TRY(ReadFile("/proc/self/mountinfo", 16 << 20)),
                                            TRY(ReadFile("/proc/self/cgroup"))));
  facts.swap_accounting = HasSwapAccounting(map);
  facts.socket_limits = HasSocketLimits(map);
  for (const CgroupPlace& place : map.places) {
    if (place.v2) facts.outcomes[Feature::kCgroupKill] = TryCgroupKill(place.mount_point);
  }
  struct sysinfo memory{};
  if (::sysinfo(&memory) == 0) {
    facts.swap_bytes = static_cast<uint64_t>(memory.totalswap) * memory.mem_unit;
  }
  Result<CgroupTree> tree = CgroupTree::Discover({.purpose = CgroupPurpose::kLook});
  if (!tree) {
    for (ControllerFact& fact : facts.controllers) fact.why_not = tree.error().ToString();
    return {};
  }
  facts.cgroup_layout = tree->layout();
  for (size_t i = 0; i < kControllerCount; ++i) {
    const auto controller = static_cast<Controller>(i);
    facts.controllers[i] = {tree->Has(controller), tree->WhyNot(controller)};
  }
  return {};
}

void LookAtSettings(Facts& facts) {
  const auto max_files = ReadNumber("/proc/sys/fs/file-max");
  facts.max_files = max_files && *max_files > 0 ? static_cast<uint64_t>(*max_files) : 0;
  facts.max_tcp_bytes = MostBytes("/proc/sys/net/ipv4/tcp_mem");
  facts.max_udp_bytes = MostBytes("/proc/sys/net/ipv4/udp_mem");
  facts.strict_commit = ReadNumber("/proc/sys/vm/overcommit_memory") == 2;
  facts.max_user_namespaces = ReadNumber("/proc/sys/user/max_user_namespaces");
  facts.unprivileged_userns_clone = ReadNumber("/proc/sys/kernel/unprivileged_userns_clone");
  facts.suid_dumpable = ReadNumber("/proc/sys/fs/suid_dumpable");
  facts.apparmor_restrict_userns =
      ReadNumber("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  const long landlock =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  facts.landlock_abi = landlock < 0 ? 0 : static_cast<int>(landlock);
  facts.landlock_errno = landlock < 0 ? errno : 0;
}

bool TryKvm() {
  const Result<Fd> kvm = sys::OpenAt(AT_FDCWD, "/dev/kvm", O_RDWR);
  return kvm && ::ioctl(kvm->get(), kKvmGetApiVersion, 0) == kKvmApiVersion;
}

bool TryDocker() {
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return false;
  const Fd socket = Fd::Adopt(raw);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, "/var/run/docker.sock", sizeof address.sun_path - 1);
  return ::connect(raw, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::vector<std::string> FindRuntimes() {
  constexpr std::array kDirectories = {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/",
                                       "/usr/bin/"};
  constexpr std::array kPrograms = {
      "runsc", "runc", "crun", "kata-runtime", "podman", "qemu-system-x86_64", "firecracker"};
  std::vector<std::string> found;
  for (const char* program : kPrograms) {
    for (const char* directory : kDirectories) {
      if (::access((std::string(directory) + program).c_str(), X_OK) != 0) continue;
      found.emplace_back(program);
      break;
    }
  }
  return found;
}

void TrySystemCalls(Outcomes& out) {
  const auto outcome = [](auto result) { return result ? kWorks : result.error().sys_errno(); };
  out[Feature::kPidfd] = outcome(sys::PidfdOpen(::getpid()));
  out[Feature::kOpenat2] = outcome(
      sys::OpenAt2(AT_FDCWD, "/", {.flags = O_PATH, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS}));
  // No descriptor has that number, so nothing is closed.
  const long closed = ::syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0U);
  out[Feature::kCloseRange] = closed == 0 ? kWorks : errno;
  out[Feature::kCloneIntoCgroup] = TryCloneIntoCgroup();
  out[Feature::kExecutableMemfd] = TryExecutableMemfd();
}

}  // namespace

std::string_view FeatureName(Feature feature) {
  return kNames.at(static_cast<size_t>(feature)).name;
}

std::string_view FeatureKey(Feature feature) { return kNames.at(static_cast<size_t>(feature)).key; }

Result<Facts> Probe(const std::string& state_dir) {
  Facts facts;
  facts.uid = ::geteuid();
  utsname name{};
  if (::uname(&name) == 0) {
    facts.kernel = name.release;
    facts.machine = name.machine;
  }
  facts.highest_open_files = HighestOpenFiles();
  facts.core_helper = WhyCoreHelperRuns(/*can_raise=*/true);
  TRY(LookAtCgroups(facts));
  LookAtSettings(facts);
  TrySystemCalls(facts.outcomes);
  facts.outcomes[Feature::kMakeExt4] = TryMke2fs();
  if (facts.root()) facts.outcomes[Feature::kLoopDevices] = TryLoop();
  TRY(TryInChildren(state_dir, facts));
  facts.kvm = TryKvm();
  facts.docker = TryDocker();
  facts.runtimes = FindRuntimes();
  return facts;
}

}  // namespace cay::engine::native
