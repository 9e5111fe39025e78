// The BPF program that chooses the socket for a connection (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9;
// Documentation/bpf/prog_sk_lookup.rst), as instructions. It runs in the sandbox's network
// namespace for each new TCP connection and each datagram to a socket that is not connected. See
// steering_plan.h for what it steers. Pure.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

namespace cay::engine::native {

// The slots of its map.
enum class LookupSlot : uint32_t { kTcpV4, kTcpV6, kDnsV4, kDnsV6 };
inline constexpr uint32_t kLookupSlots = 4;

// `map`: the descriptor of a BPF_MAP_TYPE_SOCKMAP. Where its slot is empty, or the socket is of no
// use, the connection is refused.
std::vector<bpf_insn> LookupProgram(int map);

}  // namespace cay::engine::native
