#include "cli/steps/stop_at_signal.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "cli/frame/command.h"

namespace cay::cli {

Result<std::unique_ptr<StopAtSignal>> StopAtSignal::Begin(StopTimer& stop) {
  auto begun = std::unique_ptr<StopAtSignal>(new StopAtSignal(stop));
  begun->signals_.emplace(TRY(begun->scope_.Open()));
  begun->ended_.emplace(TRY(Wakeup::Make()));
  begun->thread_ = std::thread([raw = begun.get()] { raw->Wait(); });
  return begun;
}

StopAtSignal::~StopAtSignal() {
  if (!thread_.joinable()) return;
  ended_->Raise();
  thread_.join();
}

void StopAtSignal::Wait() {
  while (true) {
    pollfd polled[2] = {{signals_->fd(), POLLIN, 0}, {ended_->fd(), POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) return;
    if (polled[1].revents != 0) return;
    while (const auto signal = signals_->Next(nullptr)) {
      if (signal->kind == CallersSignal::Kind::kEndNow) ::_exit(kExitSignalBase + signal->signal);
      if (signal->kind != CallersSignal::Kind::kEnd) continue;
      signal_.store(signal->signal);
      stop_.Stop();
    }
  }
}

}  // namespace cay::cli
