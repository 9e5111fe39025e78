#include "sandbox/network/relay_supply.h"

#include <signal.h>

#include <utility>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "base/os/sys.h"

namespace cay::sandbox {

bool RelaySupply::HasEnded(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kTimeout ||
         error.code() == ErrorCode::kProtocol;
}

void RelaySupply::SetResolvers(std::vector<std::string> resolvers) {
  const std::lock_guard lock(mutex_);
  resolvers_ = std::move(resolvers);
}

std::shared_ptr<ServedRelay> RelaySupply::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<std::shared_ptr<ServedRelay>> RelaySupply::Get() {
  const std::lock_guard one_start_at_a_time(starting_);
  if (auto current = Current()) return current;
  ReapStrays();
  network::HelloRequest hello{.news = true};
  {
    const std::lock_guard lock(mutex_);
    hello.resolvers = resolvers_;
  }
  auto relay = std::make_shared<ServedRelay>(started_ + 1, TRY(start_()));
  ++started_;
  relay->link.TellDials([this, weak = std::weak_ptr(relay)](const network::DialRequest& request) {
    on_dial_(weak, request);
  });
  if (auto greeted = relay->link.Hello(hello); !greeted) {
    (void)sys::PidfdSendSignal(relay->pidfd, SIGKILL);
    return Failure(std::move(greeted).error().WithContext("the network relay does not start"));
  }
  const std::lock_guard lock(mutex_);
  current_ = relay;
  return relay;
}

void RelaySupply::End() {
  const std::lock_guard lock(mutex_);
  current_.reset();
}

void RelaySupply::Drop(const ServedRelay& relay) {
  {
    const std::lock_guard lock(mutex_);
    if (current_.get() != &relay) return;
    current_.reset();
  }
  ++lost_;
  LogWarning(
      "the network relay has ended, or hangs: another is started, and networks are opened "
      "anew");
  (void)sys::PidfdSendSignal(relay.pidfd, SIGKILL);
  ReapStrays();
}

}  // namespace cay::sandbox
