// What the ways of steering have in common: which connections of a sandbox are steered, and where
// to. Everything else goes where it would go without a network.
//
// - Port 53 of every address, with TCP and UDP: also of 127.0.0.1 and ::1, where libc asks when
//   resolv.conf is empty. But a datagram that comes from port 53 is an answer, and never steered:
//   whoever answers could otherwise be made to answer itself for ever.
// - TCP to every address that is not loopback or the sandbox's own.
#pragma once

#include <cstdint>

namespace cay::engine::native {

inline constexpr uint16_t kDnsPort = 53;

// Where the sockets are. It is no place of the sandbox: a connection to it is steered as to any
// other private address, so the sockets accept nothing that was meant for them.
inline constexpr const char* kPolicyV4 = "10.200.0.3";
inline constexpr const char* kPolicyV6 = "fd00:ca1::3";

// Over what ip_local_port_range has by default, and registered for nothing.
inline constexpr uint16_t kPolicyPort = 61'853;

}  // namespace cay::engine::native
