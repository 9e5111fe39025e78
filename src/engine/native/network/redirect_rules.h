// The rules of redirect_steering.h as netlink messages: one batch of nf_tables (Linux,
// include/uapi/linux/netfilter/nf_tables.h). Pure. In the words of nft(8), for IPv4:
//
//   table ip cay { flags owner
//     chain steer { type nat hook output priority -100
//       meta l4proto udp th sport != 53 th dport 53 dnat to 10.200.0.3:DNS
//       meta l4proto tcp th dport 53 dnat to 10.200.0.3:TCP
//       meta l4proto tcp ip daddr & 255.0.0.0 != 127.0.0.0 ip daddr != 10.200.0.2
//           dnat to 10.200.0.3:TCP
//     } }
#pragma once

#include <cstdint>
#include <optional>

#include "engine/native/network/netlink.h"

namespace cay::engine::native {

// Where the sockets of a family are.
struct RedirectPorts {
  uint16_t tcp = 0;
  uint16_t dns = 0;
};

// Without IPv6: nothing is said of it.
NetlinkMessages RedirectRules(RedirectPorts v4, std::optional<RedirectPorts> v6);

}  // namespace cay::engine::native
