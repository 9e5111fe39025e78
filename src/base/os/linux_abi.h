// Kernel interfaces newer than the 6.1-era headers that Debian 12 compiles against. Values are from
// include/uapi/linux of Linux 6.12; each is used only behind a probe.
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

}  // namespace cay::abi
