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

Result<bool> Janitor::Start() {
  if (socket_) return false;
  socket_ = TRY(StartWorker("cay-janitor", &Serve));
  return true;
}

void Janitor::LetGo(Fd mount) {
  if (!Start()) return;  // closed here
  if (!SendPacket(*socket_, PacketType::kLetGo, {}, {&mount})) socket_.reset();
}

}  // namespace cay::engine::native
