#include "engine/native/launcher/scratch_maker.h"

#include <sys/socket.h>

#include <utility>

#include "engine/native/ipc/packet.h"
#include "engine/native/ipc/worker.h"
#include "engine/native/record/request.h"

namespace cay::engine::native {
namespace {

// A disk that takes longer is not waited for.
constexpr time_t kPatienceS = 20;

Result<UnnamedScratch> Make(const std::string& images_dir, const Packet& request) {
  return MakeUnnamedScratch(images_dir, TRY(DecodeLimits(request.body)));
}

void Serve(const std::string& images_dir, const Fd& socket) {
  while (true) {
    const auto request = ReceivePacket(socket);
    if (!request || !*request) return;
    const auto made = Make(images_dir, **request);
    const auto sent = made
                          ? SendPacket(socket, PacketType::kReply, {}, {&made->image, &made->mount})
                          : SendPacket(socket, PacketType::kFailed, EncodeError(made.error()));
    if (!sent) return;
  }
}

}  // namespace

Result<bool> ScratchMaker::Prepare(const Limits& limits) {
  if (coming_ == SizeOf(limits)) return false;
  if (coming_) (void)Receive();
  if (!socket_) {
    socket_ =
        TRY(StartWorker("cay-scratch", [this](const Fd& socket) { Serve(images_dir_, socket); }));
    const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
    if (::setsockopt(socket_->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
      socket_.reset();
      return Failure(Error::FromErrno("setting a time limit"));
    }
  }
  if (auto sent = SendPacket(*socket_, PacketType::kRequest, EncodeLimits(limits)); !sent) {
    socket_.reset();
    return Failure(std::move(sent).error());
  }
  coming_ = SizeOf(limits);
  return true;
}

std::optional<UnnamedScratch> ScratchMaker::Take(const Limits& limits) {
  if (!coming_ || coming_ != SizeOf(limits)) return std::nullopt;
  auto received = Receive();
  return received ? std::optional(*std::move(received)) : std::nullopt;
}

void ScratchMaker::LetGo() {
  socket_.reset();
  coming_.reset();
}

Result<UnnamedScratch> ScratchMaker::Receive() {
  coming_.reset();
  auto packet = ReceivePacket(*socket_);
  if (packet && *packet && (*packet)->type == PacketType::kFailed) {
    return Failure(DecodeError((*packet)->body));
  }
  if (packet && *packet && (*packet)->fds.size() == 2) {
    return UnnamedScratch{std::move((*packet)->fds[0]), std::move((*packet)->fds[1])};
  }
  socket_.reset();  // dead, or too slow: another one next time
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "its maker is gone"));
}

}  // namespace cay::engine::native
