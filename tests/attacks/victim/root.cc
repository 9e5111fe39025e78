// What id 0 tries with the privileges of root in a sandbox: to have more than it was given, for
// longer, or over more than the sandbox.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

constexpr uid_t kUser = 1000;

// What becomes of this program: its verdict is the new one's.
Verdict Become(const char* program, const char* probe, const char* argument) {
  ::execl(program, "attack-victim", probe, argument, static_cast<char*>(nullptr));
  return Refused();
}

bool DropAll() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

// Given up, and the id is still 0: an exec must not bring them back.
Verdict RegainByExec(Arguments) {
  if (!DropAll()) return Refused();
  return Become("/proc/self/exe", "status", "CapEff");
}

Verdict LookAsUser(Arguments) {
  if (::setresuid(kUser, kUser, kUser) != 0) return Refused();
  return Become("/proc/self/exe", "status", "CapEff");
}

// All three ids are given up: there is no way back.
Verdict ComeBack(Arguments) {
  if (::setresuid(kUser, kUser, kUser) != 0) return Refused();
  return OfCall(::setresuid(0, 0, 0));
}

bool CopyOneself(const char* path) {
  std::ifstream from("/proc/self/exe", std::ios::binary);
  std::ofstream to(path, std::ios::binary);
  to << from.rdbuf();
  return to.good() && ::chmod(path, 0755) == 0;
}

// A program with all file capabilities, run by somebody who has none.
Verdict ProgramWithCapabilities(Arguments) {
  constexpr const char* kPath = "/tmp/capable";
  if (!CopyOneself(kPath)) return Refused();
  vfs_cap_data all{};
  all.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  for (auto& word : all.data) word.permitted = word.inheritable = 0xffff'ffff;
  if (::setxattr(kPath, "security.capability", &all, sizeof all, 0) != 0) return Refused();
  if (::setresuid(kUser, kUser, kUser) != 0) return Refused();
  return Become(kPath, "status", "CapEff");
}

Verdict SetuidProgram(Arguments) {
  constexpr const char* kPath = "/tmp/setuid";
  if (!CopyOneself(kPath) || ::chmod(kPath, 06755) != 0) return Refused();
  if (::setresgid(kUser, kUser, kUser) != 0 || ::setresuid(kUser, kUser, kUser) != 0)
    return Refused();
  return Become(kPath, "effective_user", nullptr);
}

Verdict SetCapability(Arguments arguments) {
  vfs_cap_data one{};
  one.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  one.data[0].permitted = 1U << CAP_SYS_ADMIN;
  return OfCall(::setxattr(arguments[0], "security.capability", &one, sizeof one, 0));
}

Verdict ChangeOwner(Arguments arguments) {
  const auto id = static_cast<uid_t>(::strtoul(arguments[1], nullptr, 10));
  return OfCall(::lchown(arguments[0], id, id));
}
Verdict ChangeMode(Arguments arguments) {
  return OfCall(::chmod(arguments[0], static_cast<mode_t>(::strtoul(arguments[1], nullptr, 8))));
}
Verdict Remove(Arguments arguments) { return OfCall(::unlink(arguments[0])); }
Verdict Rename(Arguments arguments) { return OfCall(::rename(arguments[0], arguments[1])); }
Verdict Link(Arguments arguments) { return OfCall(::link(arguments[0], arguments[1])); }

Verdict BecomeId(Arguments arguments) {
  const auto id = static_cast<uid_t>(::strtoul(arguments[0], nullptr, 10));
  return OfCall(::setresuid(id, id, id));
}

int MakeFile() { return ::open("/tmp/attributes", O_CREAT | O_RDWR | O_CLOEXEC, 0600); }

Verdict MakeImmutable(Arguments) {
  const int fd = MakeFile();
  if (fd < 0) return Refused();
  const int flags = FS_IMMUTABLE_FL;
  return OfCall(::ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

// Another project: its blocks would count for somebody else's quota.
Verdict ChangeProject(Arguments) {
  const int fd = MakeFile();
  fsxattr attributes{};
  if (fd < 0 || ::ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return Refused();
  attributes.fsx_projid += 7;
  return OfCall(::ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

// Instances as many users, each of whom the kernel counts by itself inside.
Verdict InotifyOfManyIds(Arguments) {
  constexpr uid_t kIds = 64;
  constexpr int kEach = 40;
  int made = 0;
  for (uid_t id = 2000; id < 2000 + kIds; ++id) {
    if (::setresuid(id, 0, 0) != 0) return Refused();
    for (int i = 0; i < kEach; ++i, ++made) {
      if (::inotify_init1(IN_CLOEXEC) < 0) return "refused after " + std::to_string(made);
    }
  }
  return Through(std::to_string(made));
}

Verdict SignalsToTheGuest(Arguments) {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (::kill(1, signal) == 0) return Through(std::to_string(signal));
    if (errno != EPERM) return Refused();
  }
  return Refused(EPERM);
}

}  // namespace

std::span<const Probe> RootProbes() {
  static constexpr Probe kProbes[] = {
      {"regain_by_exec", RegainByExec},
      {"look_as_user", LookAsUser},
      {"come_back", ComeBack},
      {"program_with_capabilities", ProgramWithCapabilities},
      {"setuid_program", SetuidProgram},
      {"set_capability", SetCapability},
      {"change_owner", ChangeOwner},
      {"change_mode", ChangeMode},
      {"remove", Remove},
      {"rename", Rename},
      {"link", Link},
      {"become_id", BecomeId},
      {"make_immutable", MakeImmutable},
      {"change_project", ChangeProject},
      {"inotify_of_many_ids", InotifyOfManyIds},
      {"signals_to_the_guest", SignalsToTheGuest},
  };
  return kProbes;
}

}  // namespace cay::attacks
