#include "sandbox/network/relay_supply.h"

#include <signal.h>

#include <utility>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "base/os/sys.h"

namespace cay::sandbox {
namespace {

// One that is under way.
class CountedCheck {
 public:
  explicit CountedCheck(std::atomic<int>& all) : all_(all), number_(++all) {}
  ~CountedCheck() { --all_; }
  CountedCheck(const CountedCheck&) = delete;
  CountedCheck& operator=(const CountedCheck&) = delete;
  int number() const { return number_; }

 private:
  std::atomic<int>& all_;
  const int number_;
};

}  // namespace

bool RelaySupply::HasEnded(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kTimeout ||
         error.code() == ErrorCode::kProtocol;
}

void RelaySupply::SetGreeting(network::HelloRequest greeting) {
  const std::lock_guard lock(mutex_);
  greeting_ = std::move(greeting);
}

network::HelloRequest RelaySupply::greeting(bool news) const {
  const std::lock_guard lock(mutex_);
  network::HelloRequest greeting = greeting_;
  greeting.news = news;
  if (!news) greeting.cache_bytes = 0;  // one that is asked what it would do, and does nothing
  return greeting;
}

// Others may wait for the serving relay, and a name server may take its time: so it is another one,
// which ends with its socket.
Result<network::Checked> RelaySupply::Check(const network::CheckRequest& request) {
  const CountedCheck counted(checks_);
  if (counted.number() > kMaxChecks) {
    return Failure(
        Error(ErrorCode::kResourceExhausted, Fault::kMachine,
              "the server makes " + std::to_string(kMaxChecks) + " checks of networks at a time")
            .WithRemedy("try again after the time in Retry-After"));
  }
  ReapStrays();
  network::RelayProcess process = TRY(start_());
  network::RelayLink link(std::move(process.control));
  TRY(link.Hello(greeting(false)));
  return link.Check(request);
}

std::shared_ptr<ServedRelay> RelaySupply::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<std::shared_ptr<ServedRelay>> RelaySupply::Get() {
  const std::lock_guard one_start_at_a_time(starting_);
  if (auto current = Current()) return current;
  ReapStrays();
  auto relay = std::make_shared<ServedRelay>(started_ + 1, TRY(start_()));
  ++started_;
  relay->link.TellDials([this, weak = std::weak_ptr(relay)](const network::DialRequest& request) {
    on_dial_(weak, request);
  });
  if (auto greeted = relay->link.Hello(greeting(true)); !greeted) {
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
