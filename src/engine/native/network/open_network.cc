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

Result<NetworkSockets> OpenSteered(Steering steering, bool ipv6, std::optional<Lookup> ahead = {}) {
  NetworkSockets sockets = TRY(OpenPolicySockets(steering, ipv6));
  if (steering == Steering::kRedirect) {
    sockets.hold = TRY(SteerByRedirect(sockets));
    return sockets;
  }
  if (!ahead) ahead = TRY(PrepareLookup());
  sockets.hold = TRY(SteerByLookup(*ahead, sockets));
  return sockets;
}

// The routes come last: until then nothing has changed for the code inside.
Result<NetworkSockets> OpenBy(Steering steering, bool ipv6, std::optional<Lookup> ahead = {}) {
  NetworkSockets sockets = TRY(OpenSteered(steering, ipv6, std::move(ahead)));
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
Result<NetworkSockets> OpenAwayFrom(std::pair<dev_t, ino_t> home,
                                    std::optional<Lookup> ahead = {}) {
  if (TRY(NetworkNumber()) == home) {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "the sandbox's guest is not in a network namespace of its own"));
  }
  return OpenNetworkHere(std::move(ahead));
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
  protocol::CborWriter writer;
  EncodeNetwork(writer, *opened);
  const std::vector<Fd> fds = TakeDescriptors(*std::move(opened));
  std::vector<const Fd*> sent;
  for (const Fd& fd : fds) sent.push_back(&fd);
  (void)SendPacket(socket, PacketType::kReply, writer.text(), sent);
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
  protocol::CborReader reader(reply->body);
  return DecodeNetwork(reader, std::move(reply->fds));
}

}  // namespace

Result<void> TrySteering(Steering steering) {
  TRY(CheckLeadsNowhere());
  TRY(OpenSteered(steering, HasIpv6()));
  return {};
}

Result<NetworkSockets> OpenNetworkHere(std::optional<Lookup> ahead) {
  TRY(CheckLeadsNowhere());
  const bool ipv6 = HasIpv6();
  const auto steered = IsSteeredByLookup();
  if (steered && *steered) return Failure(IsOpen());
  auto opened =
      steered ? OpenBy(Steering::kLookup, ipv6, std::move(ahead)) : Failure(steered.error());
  if (opened || !IsNotSupported(opened.error())) return opened;
  const std::string why = opened.error().message();
  opened = OpenBy(Steering::kRedirect, ipv6);
  if (opened || !IsNotSupported(opened.error())) return opened;
  return Failure(std::move(opened).error().WithContext(
      "this machine cannot steer a sandbox's connections: " + why));
}

Result<NetworkSockets> OpenNetwork(const Fd& guest, const NetnsPool* pool,
                                   std::optional<Lookup> ahead) {
  if (pool == nullptr) return OpenByChild(guest);
  const auto home = TRY(NetworkNumber());
  std::optional<NetworkSockets> opened;
  TRY(pool->Inside(guest, [&]() -> Result<void> {
    opened = TRY(OpenAwayFrom(home, std::move(ahead)));
    return {};
  }));
  return *std::move(opened);
}

}  // namespace cay::engine::native
