// Privileges: what code in a sandbox may do there beyond what any user may.
#pragma once

#include <linux/capability.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cay {

enum class Privileges : uint8_t {
  kNone,  // nobody has a capability, id 0 neither
  kRoot,  // processes of id 0 have kRootCapabilities
};

// As people and programs write them.
inline constexpr std::array<std::string_view, 2> kPrivilegesNames = {"none", "root"};
constexpr std::string_view PrivilegesName(Privileges privileges) {
  return kPrivilegesNames.at(static_cast<size_t>(privileges));
}
constexpr std::optional<Privileges> PrivilegesFromName(std::string_view name) {
  if (name == kPrivilegesNames[0]) return Privileges::kNone;
  if (name == kPrivilegesNames[1]) return Privileges::kRoot;
  return std::nullopt;
}

namespace privileges_internal {

constexpr uint32_t Bit(unsigned capability) { return uint32_t{1} << capability; }

}  // namespace privileges_internal

// As bits of capabilities(7), over the sandbox's own user namespace and nothing else. What package
// managers, service managers and account tools need: other owners, modes, ids and signals; setcap
// succeeds, and mounts without setuid give its files nothing. What would have no effect is not
// among them: SYS_CHROOT (the engine's filter refuses chroot), NET_BIND_SERVICE (every port is
// everybody's, and the network namespace is the host's), AUDIT_WRITE (asked of the host's namespace
// alone).
inline constexpr uint32_t kRootCapabilities =
    privileges_internal::Bit(CAP_CHOWN) | privileges_internal::Bit(CAP_DAC_OVERRIDE) |
    privileges_internal::Bit(CAP_FOWNER) | privileges_internal::Bit(CAP_FSETID) |
    privileges_internal::Bit(CAP_KILL) | privileges_internal::Bit(CAP_SETGID) |
    privileges_internal::Bit(CAP_SETUID) | privileges_internal::Bit(CAP_SETPCAP) |
    privileges_internal::Bit(CAP_SETFCAP);

// Of a process that is started as `uid` inside.
constexpr uint32_t CapabilitiesOf(uid_t uid, Privileges privileges) {
  return privileges == Privileges::kRoot && uid == 0 ? kRootCapabilities : 0;
}

}  // namespace cay
