// Kernel interfaces that Debian 12's headers do not have, being of 6.1, or not for C++. Values are
// from include/uapi/linux of Linux 6.12; what is newer than 6.1 is used only behind a probe.
#pragma once

#include <linux/landlock.h>
#include <linux/types.h>
#include <sys/syscall.h>

namespace cay::abi {

// landlock.h, ABI 4 and 6.
struct LandlockRulesetAttr {
  __u64 handled_access_fs;
  __u64 handled_access_net;
  __u64 scoped;
};
inline constexpr __u64 kLandlockScopeAbstractUnixSocket = 1ULL << 0;
inline constexpr __u64 kLandlockScopeSignal = 1ULL << 1;
inline constexpr int kLandlockAbiWithScopes = 6;
// ABI 9, Linux 7.1: to connect to a socket by its path.
inline constexpr __u64 kLandlockAccessFsResolveUnix = 1ULL << 16;
inline constexpr int kLandlockAbiWithResolveUnix = 9;

// sched.h.
inline constexpr __u64 kCloneIntoCgroup = 0x200000000ULL;

// pidfd.h, Linux 6.9: of one thread.
inline constexpr unsigned kPidfdThread = 0200;

// ioprio.h: from Debian's 6.1.192 on it has a function with a parameter called `class`.
inline constexpr int kIoprioWhoProcess = 1;
inline constexpr int kIoprioWhoUser = 3;
enum class IoprioClass : int { kNone = 0, kIdle = 3 };
// A priority with the level 0.
constexpr int IoprioOf(IoprioClass priority_class) {
  return static_cast<int>(priority_class) << 13;
}

}  // namespace cay::abi
