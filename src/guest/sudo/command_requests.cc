#include "guest/sudo/command_requests.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "base/os/log.h"

namespace cay::guest {
namespace {

constexpr auto kAcceptPause = std::chrono::milliseconds(20);

// Its handlers may be running.
struct Parting final : EventLoop::Object {
  explicit Parting(std::shared_ptr<CommandRequest> it) : request(std::move(it)) {}
  std::shared_ptr<CommandRequest> request;
};

}  // namespace

void CommandRequests::Begin() {
  in_.processes.WhenThereAreRequests([this](int listener) { Listen(listener); });
}

void CommandRequests::Listen(int listener) {
  listener_ = listener;
  if (const Result<void> watched = in_.loop.Watch(listener, EPOLLIN, *this); !watched)
    LogError(watched.error().ToString());
}

// Without room, or descriptors: the loop must not turn around the listener.
void CommandRequests::OnReady(uint32_t /*events*/) {
  const bool full = requests_.size() >= kMaxRequests;
  const int raw = full ? -1 : ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (raw < 0) {
    if (!full && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
    in_.loop.Change(listener_, 0);
    in_.loop.SetTimer(*this, EventLoop::Clock::now() + kAcceptPause);
    return;
  }
  const auto request = std::make_shared<CommandRequest>(
      in_, Fd::Adopt(raw), [this](CommandRequest& closed) { Remove(closed); });
  requests_.push_back(request);
  if (!request->Begin()) Remove(*request);
}

void CommandRequests::OnTime() { in_.loop.Change(listener_, EPOLLIN); }

void CommandRequests::Remove(CommandRequest& request) {
  const auto found =
      std::ranges::find_if(requests_, [&](const auto& known) { return known.get() == &request; });
  if (found == requests_.end()) return;
  in_.loop.Dispose(std::make_unique<Parting>(std::move(*found)));
  requests_.erase(found);
}

}  // namespace cay::guest
