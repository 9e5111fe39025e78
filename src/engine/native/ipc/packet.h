// Packets: short messages with descriptors between processes of the native engine, over SEQPACKET
// socket pairs (unix(7), SCM_RIGHTS): the launcher with its client, with the child that becomes a
// guest, with its workers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

inline constexpr size_t kMaxPacketBytes = 128 * 1024;
inline constexpr size_t kMaxPacketFds = 128;

enum class PacketType : uint8_t {
  kMapped = 1,  // see child.h
  kMounts = 2,
  kConfined = 3,
  kFailed = 4,
  kLetGo = 5,    // see janitor.h
  kRequest = 6,  // see launcher_protocol.h, scratch_maker.h
  kReply = 7,
  kRemoveLoops = 8,  // see janitor.h
};

// One packet: its type, what follows it, and descriptors (close-on-exec).
struct Packet {
  PacketType type;
  std::string body;
  std::vector<Fd> fds;
};

// kInvalidArgument for more than a packet holds.
Result<void> SendPacket(const Fd& socket, PacketType type, std::string_view body,
                        const std::vector<const Fd*>& fds = {});

// nullopt at end of file. kProtocol for a packet that was cut short; kResourceExhausted (EMFILE)
// when this process may not open what came with it, after which the next one can be received.
Result<std::optional<Packet>> ReceivePacket(const Fd& socket);

std::string EncodeError(const Error& error);
Error DecodeError(std::string_view body);

}  // namespace cay::engine::native
