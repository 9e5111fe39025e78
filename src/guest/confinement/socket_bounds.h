// What the sockets of a sandbox may hold beside what its memory limit counts.
//
// - A netlink socket: what nobody reads is charged to nobody, up to its receive buffer; so is the
//   request of a dump. They
//   are made by the guest, with small buffers, and their number is bounded (netlink(7); net/netlink/af_netlink.c).
// - An internet socket: its queues are charged, but not errors and time stamps of what was sent
//   (IP_RECVERR,
//   SO_TIMESTAMPING), nor a connection that nobody has accepted yet.
//
// Limits on buffers act like net.core.rmem_max and wmem_max: a call that asks for more gets that
// much, and no error (socket(7)).
#pragma once

#include <cstdint>
#include <optional>

#include "base/os/fd.h"

namespace cay::guest {

// One holds its receive buffer, one message over it (33 KiB: the answer to a dump), a request, and
// itself: 60 KiB, so 15 MiB together. As many as there are processes by default: each may list its
// interfaces at the same moment.
inline constexpr uint64_t kMaxNetlinkSockets = 256;
inline constexpr uint32_t kNetlinkReceiveBuffer = 8 * 1024;  // the kernel doubles what is asked
inline constexpr uint32_t kNetlinkSendBuffer = 4 * 1024;

// One more internet socket, or connection (which is a socket at its other end), is made only while
// there are fewer sockets of any family than this.
inline constexpr uint64_t kMaxSockets = 2048;
// Doubled: what net.core.rmem_default is. More is for long ways, and a sandbox has a loopback.
inline constexpr uint32_t kInternetReceiveBuffer = 106'496;

// Sockets that ping, for each of IPv4 and IPv6: what waits in their receive buffers is charged to
// nobody (ping_rcv in net/ipv4/ping.c accounts no memory), 6.5 MiB together.
inline constexpr uint64_t kMaxPingSockets = 16;

// Of this network namespace, by the files of /proc; nothing when they cannot be read.
std::optional<uint64_t> CountNetlinkSockets(const Fd& proc);
std::optional<uint64_t> CountPingSockets(const Fd& proc, int family);
std::optional<uint64_t> CountSockets(const Fd& proc);

// What socket(2) gives, with those buffers: a descriptor, or -errno. Close-on-exec.
int OpenNetlinkSocket(int type, int protocol);

// As setsockopt(SOL_SOCKET, option, value) of SO_RCVBUF or SO_SNDBUF, within the limits of its
// family. 0 or an errno.
int SetBuffer(const Fd& socket, int option, int value);

}  // namespace cay::guest
