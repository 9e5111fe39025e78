// Probe: what this machine offers, found out by trying it.
//
//   Facts facts = TRY(Probe("/var/lib/cay"));
//   Verdict verdict = Evaluate(facts);            // verdict.h, pure
//
// Nothing is concluded from a version: namespaces are entered, filters installed and filesystems
// mounted by child processes that then end, so that the machine and the caller stay as they were.
// About 20 ms, most of it for the network namespace. For one thread of a small process (it forks).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/native/cgroup/cgroup.h"

namespace cay::engine::native {

enum class Feature : uint8_t {
  // Entered in a child.
  kUserNamespace,
  kIdMaps,  // root: a range of 65,536 ids; an ordinary user: the own id
  kMountNamespace,
  kPidNamespace,
  kUtsNamespace,
  kIpcNamespace,
  kNetworkNamespace,
  kCgroupNamespace,
  kMountProc,  // a fresh /proc: refused where the machine's own is partly hidden (containers)
  kTmpfs,
  kDevpts,
  kOverlay,          // as the user that we are: in the initial or in an own user namespace
  kNamespaceLimits,  // max_user_namespaces = 0 inside ends nesting
  kNoNewPrivileges,
  kSeccomp,
  kSeccompListeners,
  kLandlockScopes,
  kRedirect,  // nftables in a network namespace of a user namespace
  kLookup,    // BPF sk_lookup; root only
  // Tried by this process.
  kIdmappedMounts,     // of the state directory's filesystem; root only
  kIdmappedUsr,        // of /usr's; root only
  kOverlayOnIdmapped,  // writable, over both; root only
  kLoopDevices,        // root only
  kMakeExt4,           // mke2fs is there
  kCloneIntoCgroup,
  kCgroupKill,
  kPidfd,
  kCloseRange,
  kOpenat2,
  kExecutableMemfd,
};
inline constexpr size_t kFeatureCount = 30;

std::string_view FeatureName(Feature feature);  // "user namespaces", for people
std::string_view FeatureKey(Feature feature);   // "user_namespace", for JSON

// 0: it works; > 0: the errno that came; kNotTried: something it needs failed before, or it is not
// for this user.
using Outcome = int32_t;
inline constexpr Outcome kWorks = 0;
inline constexpr Outcome kNotTried = -1;

struct Outcomes {
  std::array<Outcome, kFeatureCount> values;
  Outcomes() { values.fill(kNotTried); }
  Outcome& operator[](Feature feature) { return values[static_cast<size_t>(feature)]; }
  Outcome operator[](Feature feature) const { return values[static_cast<size_t>(feature)]; }
  bool Works(Feature feature) const { return (*this)[feature] == kWorks; }
};

struct ControllerFact {
  bool there = false;
  std::string why_not;  // one sentence with its remedy, from CgroupTree
};

struct Facts {
  std::string kernel;  // uname(2) release: for people, nothing depends on it
  std::string machine;
  uid_t uid = 0;
  Outcomes outcomes;

  CgroupLayout cgroup_layout = CgroupLayout::kNone;
  std::array<ControllerFact, kControllerCount> controllers;
  uint64_t swap_bytes = 0;       // of the machine
  bool swap_accounting = false;  // a group's swap can be limited
  // Whether a group can limit what TCP and UDP queue; nothing where that is counted with its memory
  // (v2).
  std::optional<bool> socket_limits;

  // One number each for the machine; 0: not known.
  uint64_t max_files = 0;      // fs.file-max
  uint64_t max_tcp_bytes = 0;  // net.ipv4.tcp_mem
  uint64_t max_udp_bytes = 0;  // net.ipv4.udp_mem
  bool strict_commit =
      false;  // vm.overcommit_memory is 2: what is reserved counts, for all together

  uint64_t highest_open_files = 0;  // RLIMIT_NOFILE that this process can give
  std::string core_helper;          // why a crash would start it; empty: it would not

  int landlock_abi = 0;    // 0: none
  int landlock_errno = 0;  // when none
  // Settings that forbid user namespaces; nothing where the kernel has no such file.
  std::optional<int64_t> max_user_namespaces;
  std::optional<int64_t> unprivileged_userns_clone;
  std::optional<int64_t> apparmor_restrict_userns;

  std::optional<int64_t> suid_dumpable;  // caller_state.h

  // What other engines could use.
  bool kvm = false;
  bool docker = false;
  std::vector<std::string> runtimes;  // programs found: "runc", "runsc", …

  bool root() const { return uid == 0; }
  const ControllerFact& controller(Controller which) const {
    return controllers[static_cast<size_t>(which)];
  }
};

// `state_dir` exists. kIo when the machine is so short of something that not even a child can be
// made.
Result<Facts> Probe(const std::string& state_dir);

}  // namespace cay::engine::native
