#include "guest/files/file_credentials.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace cay::guest {
namespace {

constexpr uint32_t Bit(unsigned capability) { return 1U << capability; }

// include/linux/capability.h of the kernel: CAP_FS_SET, and what else opens files to a process. All
// are among the first 32.
constexpr uint32_t kFileCapabilities =
    Bit(CAP_CHOWN) | Bit(CAP_DAC_OVERRIDE) | Bit(CAP_DAC_READ_SEARCH) | Bit(CAP_FOWNER) |
    Bit(CAP_FSETID) | Bit(CAP_LINUX_IMMUTABLE) | Bit(CAP_MKNOD) | Bit(CAP_LEASE);

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

Result<CapabilityData> GetCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityData data{};
  if (::syscall(SYS_capget, &header, data.data()) < 0) return Failure(Error::FromErrno("capget"));
  return data;
}

Result<void> SetCapabilities(const CapabilityData& data) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  if (::syscall(SYS_capset, &header, data.data()) < 0) return Failure(Error::FromErrno("capset"));
  return {};
}

// setfsuid(2) tells no errors: it gives the id before, so a second call shows what holds now.
uid_t CurrentFsUid() { return static_cast<uid_t>(::syscall(SYS_setfsuid, -1)); }
gid_t CurrentFsGid() { return static_cast<gid_t>(::syscall(SYS_setfsgid, -1)); }

Result<void> SetIds(uid_t uid, gid_t gid, std::span<const gid_t> groups) {
  if (::syscall(SYS_setgroups, groups.size(), groups.data()) < 0) {
    return Failure(Error::FromErrno("setgroups"));
  }
  ::syscall(SYS_setfsgid, gid);
  ::syscall(SYS_setfsuid, uid);
  if (CurrentFsUid() != uid || CurrentFsGid() != gid) {
    return Failure(Error::FromErrno("setfsuid", EPERM));
  }
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // guest/confinement/confine.h
  return {};
}

}  // namespace

Result<FileCredentials> FileCredentials::Assume(const User& user, bool single_user) {
  if (single_user) return FileCredentials(false, {});
  Saved saved;
  saved.uid = CurrentFsUid();
  saved.gid = CurrentFsGid();
  const long count = ::syscall(SYS_getgroups, 0, nullptr);
  if (count < 0) return Failure(Error::FromErrno("getgroups"));
  saved.groups.resize(static_cast<size_t>(count));
  if (::syscall(SYS_getgroups, count, saved.groups.data()) < 0) {
    return Failure(Error::FromErrno("getgroups"));
  }
  CapabilityData capabilities = TRY(GetCapabilities());
  saved.effective = capabilities[0].effective;
  // From here on the destructor puts back whatever was changed.
  FileCredentials credentials(true, std::move(saved));
  TRY(SetIds(user.uid, user.gid, user.groups));
  // Leaving uid 0 took some of them away already, and coming back would bring them again.
  capabilities = TRY(GetCapabilities());
  capabilities[0].effective &= ~(kFileCapabilities & ~user.capabilities);
  TRY(SetCapabilities(capabilities));
  return credentials;
}

FileCredentials::FileCredentials(FileCredentials&& other) noexcept
    : active_(std::exchange(other.active_, false)), saved_(std::move(other.saved_)) {}

FileCredentials::~FileCredentials() {
  if (!active_) return;
  const Result<void> ids = SetIds(saved_.uid, saved_.gid, saved_.groups);
  Result<CapabilityData> capabilities = GetCapabilities();
  if (!ids || !capabilities) ::abort();
  (*capabilities)[0].effective = saved_.effective;
  if (!SetCapabilities(*capabilities)) ::abort();
}

Result<void> FileCredentials::BecomeForGood(const User& user, bool single_user) {
  if (!single_user) {
    if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) < 0 ||
        ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) < 0 ||
        ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) < 0) {
      return Failure(Error::FromErrno("becoming the user"));
    }
  }
  CapabilityData kept{};
  kept[0].effective = kept[0].permitted = user.capabilities & kFileCapabilities;
  TRY(SetCapabilities(kept));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
    return Failure(Error::FromErrno("prctl"));
  }
  return {};
}

}  // namespace cay::guest
