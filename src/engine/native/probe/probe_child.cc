#include "engine/native/probe/probe_child.h"
#include "engine/native/network/open_network.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/securebits.h>

#include <functional>
#include <utility>

#include "base/os/file.h"
#include "base/os/linux_abi.h"
#include "base/os/reap.h"
#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// A trial that takes longer hangs in the kernel.
constexpr int kPatienceMs = 30'000;      // a machine that is loaded is no reason to give up
constexpr uid_t kProbeIds = 0x7fff0000;  // no sandbox's range: the last of the 31-bit ids
constexpr uid_t kIdCount = 65'536;

Outcome OutcomeOf(int result) { return result >= 0 ? kWorks : errno; }

template <class T>
Outcome OutcomeOf(const Result<T>& result) {
  if (result) return kWorks;
  return result.error().sys_errno() != 0 ? result.error().sys_errno() : EIO;
}

// A child process, killed and reaped with the handle.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ > 0) KillAndReap(pid_);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// fork(2) with namespace flags; `body` runs in the child, which ends with it.
Result<Child> Start(uint64_t namespaces, const std::function<void()>& body) {
  clone_args args{};
  args.flags = namespaces;
  args.exit_signal = SIGCHLD;
  const pid_t pid = TRY(sys::Clone3(args));
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    ::_exit(0);
  }
  return Child(pid);
}

void Send(const Fd& to, const Outcomes& outcomes) {
  (void)!::write(to.get(), &outcomes.values, sizeof outcomes.values);
}

Result<Outcomes> Receive(const Fd& from) {
  pollfd ready{.fd = from.get(), .events = POLLIN, .revents = 0};
  int polled = 0;
  while ((polled = ::poll(&ready, 1, kPatienceMs)) < 0 && errno == EINTR) {
  }
  Outcomes outcomes;
  // Smaller than PIPE_BUF: it comes whole.
  if (polled <= 0 || ::read(from.get(), &outcomes.values, sizeof outcomes.values) !=
                         static_cast<ssize_t>(sizeof outcomes.values)) {
    return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                         "a child that tries what the machine offers did not answer"));
  }
  return outcomes;
}

Result<Fd> MountNew(const char* type) {
  const Fd context = TRY(sys::FsOpen(type));
  TRY(sys::FsConfigCreate(context));
  return sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

// In its own mount namespace a child may use any directory for its mounts; this one is everywhere.
constexpr const char* kStage = "/tmp";

Result<void> MountStage() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
    return Failure(Error::FromErrno("making mounts private"));
  }
  const Fd tmpfs = TRY(MountNew("tmpfs"));
  const Fd stage = TRY(sys::OpenAt(AT_FDCWD, kStage, O_PATH | O_DIRECTORY));
  return sys::MoveMount(tmpfs, stage, "");
}

Result<void> MakeStageDirectory(const std::string& name) {
  return sys::MkdirAt(AT_FDCWD, (std::string(kStage) + "/" + name).c_str(), 0755);
}

// An overlay of /tmp/{lower,upper,work}, which must come out writable: overlayfs turns read-only
// without an error when it cannot make files in `work`.
Result<void> MountOverlay(const std::string& lower, const std::string& writable, bool userxattr) {
  const std::string stage(kStage);
  const Fd context = TRY(sys::FsOpen("overlay"));
  TRY(sys::FsConfigString(context, "lowerdir", (stage + lower).c_str()));
  TRY(sys::FsConfigString(context, "upperdir", (stage + writable + "/upper").c_str()));
  TRY(sys::FsConfigString(context, "workdir", (stage + writable + "/work").c_str()));
  if (userxattr) TRY(sys::FsConfigFlag(context, "userxattr"));
  TRY(sys::FsConfigCreate(context));
  const Fd mount = TRY(sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  struct statvfs info{};
  if (::fstatvfs(mount.get(), &info) < 0) return Failure(Error::FromErrno("statvfs"));
  if ((info.f_flag & ST_RDONLY) != 0) return Failure(Error::FromErrno("overlay", EROFS));
  return {};
}

Result<void> TryOverlay(bool userxattr) {
  TRY(MountStage());
  for (const char* name : {"lower", "upper", "work"}) TRY(MakeStageDirectory(name));
  return MountOverlay("/lower", "", userxattr);
}

void Merge(Outcomes& into, const Outcomes& from) {
  for (size_t i = 0; i < kFeatureCount; ++i) {
    if (from.values[i] != kNotTried) into.values[i] = from.values[i];
  }
}

// Ends the making of namespaces in this user namespace, for good.
Outcome TryNamespaceLimits(const Fd& proc) {
  for (const char* which : {"user", "mnt", "net", "pid", "uts", "ipc", "cgroup", "time"}) {
    const std::string knob = std::string("sys/user/max_") + which + "_namespaces";
    Result<void> written = WriteKnobAt(proc.get(), knob, "0");
    if (!written && written.error().sys_errno() != ENOENT) return OutcomeOf(written);
  }
  if (::unshare(CLONE_NEWUSER) == 0) return EPERM;
  return errno == ENOSPC ? kWorks : errno;
}

// In a child, because a process that only unshared its pid namespace keeps its old /proc.
Outcomes TryProc() {
  Outcomes out;
  const Result<Pipe> pipe = MakePipe();
  if (!pipe) return out;
  const Result<Child> child = Start(0, [&] {
    Outcomes inside;
    const Result<Fd> proc = MountNew("proc");
    inside[Feature::kMountProc] = OutcomeOf(proc);
    if (proc) inside[Feature::kNamespaceLimits] = TryNamespaceLimits(*proc);
    Send(pipe->write, inside);
  });
  out[Feature::kMountProc] = OutcomeOf(child);
  if (!child) return out;
  Result<Outcomes> inside = Receive(pipe->read);
  return inside ? *inside : out;
}

Outcome TrySeccomp() {
  sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program{.len = 1, .filter = allow};
  return OutcomeOf(static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)));
}

// With what the guest does on one: giving a descriptor (Linux 5.9). Nobody asks here, so a kernel
// that can says that there is no such question.
Outcome TrySeccompListeners() {
  sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program{.len = 1, .filter = allow};
  const long raw =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (raw < 0) return errno;
  const Fd listener = Fd::Adopt(static_cast<int>(raw));
  seccomp_notif_addfd gift{.id = 1, .flags = 0, .srcfd = 0, .newfd = 0, .newfd_flags = 0};
  const int given = ::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
  return given < 0 && errno == ENOENT ? kWorks : errno;
}

Outcome TryLandlockScopes() {
  abi::LandlockRulesetAttr attributes{};
  attributes.scoped = abi::kLandlockScopeSignal | abi::kLandlockScopeAbstractUnixSocket;
  const long raw = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0U);
  if (raw < 0) return errno;
  const Fd ruleset = Fd::Adopt(static_cast<int>(raw));
  return OutcomeOf(static_cast<int>(::syscall(SYS_landlock_restrict_self, ruleset.get(), 0U)));
}

// What a sandbox is made of, in the order in which one thing needs another. Runs in the child, as
// root of its user namespace.
Outcomes TryInside(bool with_overlay) {
  Outcomes out;
  constexpr std::pair<Feature, int> kNamespaces[] = {
      {Feature::kMountNamespace, CLONE_NEWNS},      {Feature::kUtsNamespace, CLONE_NEWUTS},
      {Feature::kIpcNamespace, CLONE_NEWIPC},       {Feature::kNetworkNamespace, CLONE_NEWNET},
      {Feature::kCgroupNamespace, CLONE_NEWCGROUP}, {Feature::kPidNamespace, CLONE_NEWPID},
  };
  for (const auto& [feature, flag] : kNamespaces) out[feature] = OutcomeOf(::unshare(flag));
  if (out.Works(Feature::kNetworkNamespace))
    out[Feature::kRedirect] = OutcomeOf(TrySteering(Steering::kRedirect));
  if (out.Works(Feature::kMountNamespace)) {
    out[Feature::kTmpfs] = OutcomeOf(MountNew("tmpfs"));
    out[Feature::kDevpts] = OutcomeOf(MountNew("devpts"));
    if (with_overlay) out[Feature::kOverlay] = OutcomeOf(TryOverlay(/*userxattr=*/true));
  }
  if (out.Works(Feature::kPidNamespace)) Merge(out, TryProc());
  out[Feature::kNoNewPrivileges] = OutcomeOf(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  out[Feature::kSeccomp] = TrySeccomp();
  out[Feature::kSeccompListeners] = TrySeccompListeners();
  out[Feature::kLandlockScopes] = TryLandlockScopes();
  return out;
}

Result<void> WriteMaps(pid_t pid, bool root) {
  const std::string proc = "/proc/" + std::to_string(pid) + "/";
  const auto map = [&](uid_t own) {
    return root ? "0 " + std::to_string(kProbeIds) + " " + std::to_string(kIdCount)
                : "0 " + std::to_string(own) + " 1";
  };
  if (!root) TRY(WriteKnobAt(AT_FDCWD, proc + "setgroups", "deny"));
  TRY(WriteKnobAt(AT_FDCWD, proc + "uid_map", map(::geteuid())));
  return WriteKnobAt(AT_FDCWD, proc + "gid_map", map(::getegid()));
}

Result<void> Idmap(const Fd& mount, const Fd& userns) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(userns.get());
  return sys::MountSetattr(mount, attributes, /*recursive=*/false);
}

Result<void> TryIdmap(const std::string& path, const Fd& userns) {
  const Fd mount = TRY(sys::OpenTree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE));
  return Idmap(mount, userns);
}

// An overlay of idmapped /usr under a writable layer of the mapped root's, made as that root, as a
// sandbox has it. (The layer itself is not idmapped: a tmpfs can be since 6.3 only, and a sandbox's
// in memory is not, either.) Runs in a child with a mount namespace of its own.
Result<void> TryOverlayOnIdmapped(const Fd& userns) {
  TRY(MountStage());
  for (const char* name : {"lower", "scratch"}) TRY(MakeStageDirectory(name));
  const std::string stage(kStage);
  const Fd lower = TRY(sys::OpenTree(AT_FDCWD, "/usr", OPEN_TREE_CLONE));
  TRY(Idmap(lower, userns));
  const Fd lower_dir = TRY(sys::OpenAt(AT_FDCWD, (stage + "/lower").c_str(), O_PATH));
  TRY(sys::MoveMount(lower, lower_dir, ""));
  const Fd scratch = TRY(MountNew("tmpfs"));
  for (const char* name : {"upper", "work"}) {
    TRY(sys::MkdirAt(scratch.get(), name, 0755));
    TRY(sys::ChownAt(scratch.get(), name, kProbeIds, kProbeIds));
  }
  const Fd scratch_dir = TRY(sys::OpenAt(AT_FDCWD, (stage + "/scratch").c_str(), O_PATH));
  TRY(sys::MoveMount(scratch, scratch_dir, ""));
  // setfsuid(2) would otherwise take the capabilities that mounting needs.
  TRY(sys::Prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, "securebits"));
  ::setfsuid(kProbeIds);
  ::setfsgid(kProbeIds);
  return MountOverlay("/lower", "/scratch", /*userxattr=*/false);
}

Outcomes TryOverlays(const Fd& userns, bool idmapped) {
  Outcomes out;
  // Two namespaces: each trial mounts its stage at the same place.
  out[Feature::kOverlay] = OutcomeOf(::unshare(CLONE_NEWNS));
  if (!out.Works(Feature::kOverlay)) return out;
  out[Feature::kOverlay] = OutcomeOf(TryOverlay(/*userxattr=*/false));
  if (idmapped) out[Feature::kOverlayOnIdmapped] = OutcomeOf(TryOverlayOnIdmapped(userns));
  return out;
}

// The program is loaded with rights over the machine: a user namespace has none.
Outcomes TryLookup() {
  Outcomes out;
  out[Feature::kLookup] = OutcomeOf(::unshare(CLONE_NEWNET));
  if (out.Works(Feature::kLookup))
    out[Feature::kLookup] = OutcomeOf(TrySteering(Steering::kLookup));
  return out;
}

Result<void> TryAsRoot(const std::string& state_dir, const Fd& userns, Outcomes& out) {
  out[Feature::kIdmappedMounts] = OutcomeOf(TryIdmap(state_dir, userns));
  out[Feature::kIdmappedUsr] = OutcomeOf(TryIdmap("/usr", userns));
  const Pipe pipe = TRY(MakePipe());
  const bool idmapped = out.Works(Feature::kIdmappedUsr);
  const Child child = TRY(Start(0, [&] { Send(pipe.write, TryOverlays(userns, idmapped)); }));
  Merge(out, TRY(Receive(pipe.read)));
  const Pipe lookup = TRY(MakePipe());
  const Child other = TRY(Start(0, [&] { Send(lookup.write, TryLookup()); }));
  Merge(out, TRY(Receive(lookup.read)));
  return {};
}

}  // namespace

Result<void> TryInChildren(const std::string& state_dir, Facts& facts) {
  Outcomes& out = facts.outcomes;
  const bool root = facts.root();
  const Pipe go = TRY(MakePipe());
  const Pipe report = TRY(MakePipe());
  Result<Child> child = Start(CLONE_NEWUSER, [&] {
    char byte = 0;
    if (::read(go.read.get(), &byte, 1) != 1) return;
    // Until here this is a user that the namespace does not know.
    if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0) return;
    Send(report.write, TryInside(/*with_overlay=*/!root));
  });
  out[Feature::kUserNamespace] = OutcomeOf(child);
  if (!child) return {};
  out[Feature::kIdMaps] = OutcomeOf(WriteMaps(child->pid(), root));
  if (!out.Works(Feature::kIdMaps)) return {};
  if (root) {
    const Fd userns = TRY(sys::OpenAt(
        AT_FDCWD, ("/proc/" + std::to_string(child->pid()) + "/ns/user").c_str(), O_RDONLY));
    TRY(TryAsRoot(state_dir, userns, out));
  }
  TRY(WriteAll(go.write.get(), "g"));
  Merge(out, TRY(Receive(report.read)));
  return {};
}

}  // namespace cay::engine::native
