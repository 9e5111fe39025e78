#include "engine/native/launcher/scratch_maker.h"

#include <poll.h>
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

Result<void> ScratchMaker::Start() {
  if (socket_) return {};
  Fd socket = TRY(StartWorker("cay-scratch", [this](const Fd& end) { Serve(images_dir_, end); }));
  const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
    return Failure(Error::FromErrno("setting a time limit"));
  socket_ = std::move(socket);
  return {};
}

Result<bool> ScratchMaker::Prepare(const Limits& limits) {
  if (size_ != SizeOf(limits)) {
    while (coming_ > 0) (void)Receive();
    wanted_.Rest();
    size_ = SizeOf(limits);
  }
  if (coming_ >= wanted_.target()) return false;
  while (coming_ < wanted_.target()) {
    TRY(Start());
    if (auto sent = SendPacket(*socket_, PacketType::kRequest, EncodeLimits(limits)); !sent) {
      LetGo();
      return Failure(std::move(sent).error());
    }
    ++coming_;
  }
  return true;
}

bool ScratchMaker::HasCome() const {
  pollfd poller{.fd = socket_->get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, 0) == 1;
}

std::optional<UnnamedScratch> ScratchMaker::Take(const Limits& limits) {
  if (size_ != SizeOf(limits)) return std::nullopt;
  if (coming_ == 0 || !HasCome()) wanted_.NoteMiss();
  if (coming_ == 0) return std::nullopt;
  auto received = Receive();
  return received ? std::optional(*std::move(received)) : std::nullopt;
}

std::vector<UnnamedScratch> ScratchMaker::Shrink() {
  wanted_.Rest();
  std::vector<UnnamedScratch> spare;
  while (coming_ > wanted_.target()) {
    if (auto received = Receive()) spare.push_back(*std::move(received));
  }
  return spare;
}

void ScratchMaker::LetGo() {
  socket_.reset();
  coming_ = 0;
  wanted_.Rest();
}

Result<UnnamedScratch> ScratchMaker::Receive() {
  --coming_;
  auto packet = ReceivePacket(*socket_);
  if (packet && *packet && (*packet)->type == PacketType::kFailed) {
    return Failure(DecodeError((*packet)->body));
  }
  if (packet && *packet && (*packet)->fds.size() == 2) {
    return UnnamedScratch{std::move((*packet)->fds[0]), std::move((*packet)->fds[1])};
  }
  LetGo();  // dead, or too slow: another one next time
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "its maker is gone"));
}

}  // namespace cay::engine::native
