#include "engine/native/network/network_packet.h"

#include <array>
#include <utility>

namespace cay::engine::native {
namespace {

// In the order that they are sent in.
constexpr std::array kDescriptors = {&NetworkSockets::tcp_v4, &NetworkSockets::tcp_v6,
                                     &NetworkSockets::dns_udp_v4, &NetworkSockets::dns_udp_v6,
                                     &NetworkSockets::hold};

Error OtherShape() {
  return {ErrorCode::kProtocol, Fault::kMachine, "sockets of a network of another shape"};
}

}  // namespace

void EncodeNetwork(protocol::CborWriter& writer, const NetworkSockets& sockets) {
  writer.Array(1 + kDescriptors.size()).Unsigned(static_cast<uint64_t>(sockets.steering));
  for (const auto descriptor : kDescriptors) writer.Bool((sockets.*descriptor).has_value());
}

std::vector<Fd> TakeDescriptors(NetworkSockets sockets) {
  std::vector<Fd> fds;
  for (const auto descriptor : kDescriptors)
    if (sockets.*descriptor) fds.push_back(*std::move(sockets.*descriptor));
  return fds;
}

Result<NetworkSockets> DecodeNetwork(protocol::CborReader& reader, std::vector<Fd> fds) {
  if (TRY(reader.Array(1 + kDescriptors.size())) != 1 + kDescriptors.size())
    return Failure(OtherShape());
  NetworkSockets sockets;
  sockets.steering =
      static_cast<Steering>(TRY(reader.Unsigned(static_cast<uint64_t>(Steering::kRedirect))));
  size_t next = 0;
  for (const auto descriptor : kDescriptors) {
    if (!TRY(reader.Bool())) continue;
    if (next == fds.size()) return Failure(OtherShape());
    sockets.*descriptor = std::move(fds[next++]);
  }
  if (next != fds.size()) return Failure(OtherShape());
  return sockets;
}

}  // namespace cay::engine::native
