#include "engine/native/janitor.h"

#include "engine/native/packet.h"
#include "engine/native/worker.h"

namespace cay::engine::native {
namespace {

void Serve(const Fd& socket) {
  while (true) {
    const auto packet = ReceivePacket(socket);  // with the descriptors, which are then closed
    if (!packet || !*packet) return;
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

void Janitor::LetGo(std::vector<Fd> descriptors) {
  if (descriptors.empty() || !Start()) return;  // closed here
  std::vector<const Fd*> sent;
  for (const Fd& descriptor : descriptors) sent.push_back(&descriptor);
  if (!SendPacket(*socket_, PacketType::kLetGo, {}, sent)) socket_.reset();
}

}  // namespace cay::engine::native
