// Packets: short messages with descriptors between processes of this program, over SEQPACKET socket
// pairs (unix(7), SCM_RIGHTS).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::ipc {

inline constexpr size_t kMaxPacketBytes = 128 * 1024;
inline constexpr size_t kMaxPacketFds = 128;

// One packet: its type, which is its users' to say, what follows it, and descriptors
// (close-on-exec).
struct Packet {
  uint8_t type = 0;
  std::string body{};
  std::vector<Fd> fds{};
};

// kInvalidArgument for more than a packet holds. Where the socket is non-blocking and full: EAGAIN.
Result<void> SendPacket(const Fd& socket, uint8_t type, std::string_view body,
                        const std::vector<const Fd*>& fds = {});

// nullopt at end of file. kProtocol for a packet that was cut short; kResourceExhausted (EMFILE)
// when this process may not open what came with it, after which the next one can be received. Where
// the socket is non-blocking and nothing is there: EAGAIN.
Result<std::optional<Packet>> ReceivePacket(const Fd& socket);

std::string EncodeError(const Error& error);
Error DecodeError(std::string_view body);

}  // namespace cay::ipc
