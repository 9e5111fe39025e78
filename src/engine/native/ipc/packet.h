// Packets of the native engine (base/ipc/packet.h): the launcher's with its client, with the child
// that becomes a guest, with its workers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ipc/packet.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

using ipc::DecodeError;
using ipc::EncodeError;
using ipc::kMaxPacketBytes;
using ipc::kMaxPacketFds;

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

struct Packet {
  PacketType type;
  std::string body;
  std::vector<Fd> fds;
};

inline Result<void> SendPacket(const Fd& socket, PacketType type, std::string_view body,
                               const std::vector<const Fd*>& fds = {}) {
  return ipc::SendPacket(socket, static_cast<uint8_t>(type), body, fds);
}

inline Result<std::optional<Packet>> ReceivePacket(const Fd& socket) {
  auto packet = TRY(ipc::ReceivePacket(socket));
  if (!packet) return std::nullopt;
  return Packet{static_cast<PacketType>(packet->type), std::move(packet->body),
                std::move(packet->fds)};
}

}  // namespace cay::engine::native
