#include "engine/native/launcher/janitor.h"

#include <algorithm>

#include "engine/native/ipc/packet.h"
#include "engine/native/ipc/worker.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {
namespace {

// What is to be let go of waits meanwhile.
constexpr size_t kLoopsAtOnce = 8;

void Serve(const Fd& socket) {
  while (true) {
    const auto packet = ReceivePacket(socket);  // with the descriptors, which are then closed
    if (!packet || !*packet) return;
    if ((*packet)->type == PacketType::kRemoveLoops)
      (void)volume::RemoveSpareLoopDevices(kLoopsAtOnce);
  }
}

}  // namespace

Result<void> Janitor::Start() {
  if (socket_) return {};
  Fd socket = TRY(StartWorker("cay-janitor", &Serve));
  // One that hangs must not hang us: a queue that is full is an error of SendPacket.
  TRY(SetNonBlocking(socket, true));
  socket_ = std::move(socket);
  return {};
}

void Janitor::RemoveSpareLoops() {
  if (!Start()) return;
  if (!SendPacket(*socket_, PacketType::kRemoveLoops, {})) socket_.reset();
}

void Janitor::LetGo(std::vector<Fd> descriptors) {
  if (descriptors.empty() || !Start()) return;  // closed here
  for (size_t at = 0; at < descriptors.size(); at += kMaxPacketFds) {
    std::vector<const Fd*> sent;
    for (size_t i = at; i < std::min(at + kMaxPacketFds, descriptors.size()); ++i)
      sent.push_back(&descriptors[i]);
    if (SendPacket(*socket_, PacketType::kLetGo, {}, sent)) continue;
    socket_.reset();
    return;
  }
}

}  // namespace cay::engine::native
