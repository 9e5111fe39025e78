#include "engine/native/network/open_network.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/sys.h"
#include "engine/native/ipc/packet.h"
#include "engine/native/ipc/worker.h"
#include "engine/native/network/every_address.h"
#include "engine/native/network/lookup_steering.h"
#include "engine/native/network/network_packet.h"
#include "engine/native/network/policy_sockets.h"
#include "engine/native/network/redirect_steering.h"
#include "protocol/cbor.h"

namespace cay::engine::native {
namespace {

// A child that hangs in the kernel must not stop the launcher for ever.
constexpr timeval kChildPatience{.tv_sec = 20, .tv_usec = 0};

Error IsOpen() {
  return {ErrorCode::kIllegalState, Fault::kCaller, "the sandbox's network is open already"};
}

Result<NetworkSockets> OpenSteered(Steering steering, bool ipv6) {
  NetworkSockets sockets = TRY(OpenPolicySockets(steering, ipv6));
  if (steering == Steering::kRedirect) {
    sockets.hold = TRY(SteerByRedirect(sockets));
    return sockets;
  }
  sockets.hold = TRY(SteerByLookup(sockets));
  return sockets;
}

// The routes come last: until then nothing has changed for the code inside.
Result<NetworkSockets> OpenBy(Steering steering, bool ipv6) {
  NetworkSockets sockets = TRY(OpenSteered(steering, ipv6));
  TRY(MakeEveryAddressLocal(ipv6));
  return sockets;
}

bool IsNotSupported(const Error& error) { return error.code() == ErrorCode::kNotSupported; }

// Which network namespace the calling thread is in.
Result<std::pair<dev_t, ino_t>> NetworkNumber() {
  struct stat info{};
  if (::stat("/proc/thread-self/ns/net", &info) < 0)
    return Failure(Error::FromErrno("looking at the network namespace"));
  return std::pair{info.st_dev, info.st_ino};
}

// `home`: where the thread was. A pidfd may rest on the word of a guest that was taken over, and
// lead to the machine's own network.
Result<NetworkSockets> OpenAwayFrom(std::pair<dev_t, ino_t> home) {
  if (TRY(NetworkNumber()) == home) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "the sandbox's guest is not in a network namespace of its own"));
  }
  return OpenNetworkHere();
}

Furniture ToFurniture(NetworkSockets sockets) {
  protocol::CborWriter writer;
  EncodeNetwork(writer, sockets);
  return {.text = writer.text(), .fds = TakeDescriptors(std::move(sockets))};
}

// In the child.
Result<NetworkSockets> EnterAndOpen(const std::optional<Packet>& request) {
  if (!request || request->fds.size() != 1)
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "no sandbox was named"));
  const auto home = TRY(NetworkNumber());
  TRY(sys::SetNs(request->fds.front(), CLONE_NEWUSER | CLONE_NEWNET));
  return OpenAwayFrom(home);
}

void ServeOne(const Fd& socket) {
  const auto request = ReceivePacket(socket);
  if (!request) return;
  auto opened = EnterAndOpen(*request);
  if (!opened) {
    (void)SendPacket(socket, PacketType::kFailed, EncodeError(opened.error()));
    return;
  }
  const Furniture furniture = ToFurniture(*std::move(opened));
  std::vector<const Fd*> sent;
  for (const Fd& fd : furniture.fds) sent.push_back(&fd);
  (void)SendPacket(socket, PacketType::kReply, furniture.text, sent);
}

Result<NetworkSockets> OpenByChild(const Fd& guest) {
  const Fd child = TRY(StartWorker("cay-network", &ServeOne));
  if (::setsockopt(child.get(), SOL_SOCKET, SO_RCVTIMEO, &kChildPatience, sizeof kChildPatience) <
      0) {
    return Failure(Error::FromErrno("setting a time limit"));
  }
  TRY(SendPacket(child, PacketType::kRequest, {}, {&guest}));
  auto reply = TRY(ReceivePacket(child));
  // Until it has closed its copies, and what was received here is all that is open.
  if (reply) (void)ReceivePacket(child);
  if (reply && reply->type == PacketType::kFailed) return Failure(DecodeError(reply->body));
  if (!reply || reply->type != PacketType::kReply) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "the child that opens a sandbox's network died"));
  }
  return TakeNetwork({.text = std::move(reply->body), .fds = std::move(reply->fds)});
}

}  // namespace

Result<void> TrySteering(Steering steering) {
  TRY(CheckLeadsNowhere());
  TRY(OpenSteered(steering, HasIpv6()));
  return {};
}

Result<NetworkSockets> OpenNetworkHere() {
  TRY(CheckLeadsNowhere());
  const bool ipv6 = HasIpv6();
  const auto steered = IsSteeredByLookup();
  if (steered && *steered) return Failure(IsOpen());
  auto opened = steered ? OpenBy(Steering::kLookup, ipv6) : Failure(steered.error());
  if (opened || !IsNotSupported(opened.error())) return opened;
  const std::string why = opened.error().message();
  opened = OpenBy(Steering::kRedirect, ipv6);
  if (opened || !IsNotSupported(opened.error())) return opened;
  return Failure(std::move(opened).error().WithContext(
      "this machine cannot steer a sandbox's connections: " + why));
}

Result<NetnsPool> PoolOfOpenNetworks(size_t wanted) {
  return NetnsPool::Open(wanted,
                         []() -> Result<Furniture> { return ToFurniture(TRY(OpenNetworkHere())); });
}

Result<NetworkSockets> TakeNetwork(Furniture furniture) {
  protocol::CborReader reader(furniture.text);
  return DecodeNetwork(reader, std::move(furniture.fds));
}

Result<NetworkSockets> OpenNetwork(const Fd& guest, const NetnsPool* pool) {
  if (pool == nullptr) return OpenByChild(guest);
  const auto home = TRY(NetworkNumber());
  std::optional<NetworkSockets> opened;
  TRY(pool->Inside(guest, [&]() -> Result<void> {
    opened = TRY(OpenAwayFrom(home));
    return {};
  }));
  return *std::move(opened);
}

}  // namespace cay::engine::native
