#include "sandbox/network/relay_supply.h"

#include <poll.h>
#include <signal.h>

#include <utility>

#include "base/os/log.h"
#include "base/os/reap.h"
#include "base/os/sys.h"
#include "network/cache/cache_place.h"
#include "network/relay/confine.h"

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

void KillAndWait(const Fd& pidfd) {
  (void)sys::PidfdSendSignal(pidfd, SIGKILL);
  pollfd poller{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  ::poll(&poller, 1, static_cast<int>(RelaySupply::kEndPatience.count()));
}

// Without its directory a relay has no package cache, and all else.
std::optional<Fd> CacheFilesOf(const std::string& state_dir) {
  auto made = network::MakeCacheDirectory(state_dir, network::kRelayUid);
  if (made) return *std::move(made);
  LogWarning("the package cache: " + made.error().ToString());
  return std::nullopt;
}

}  // namespace

RelaySource RelaysOf(const std::string& state_dir, bool cache) {
  return {
      .start = [state_dir, cache](RelayUse use) -> Result<network::RelayProcess> {
        if (use == RelayUse::kChecking) return network::SpawnRelay();
        auto files = cache ? CacheFilesOf(state_dir) : std::nullopt;
        auto door = network::MakeDoor(state_dir);
        if (door) return network::SpawnRelay(*std::move(door), std::move(files));
        LogWarning("connections of sandboxes will end with this server: " +
                   door.error().ToString());
        return network::SpawnRelay({}, std::move(files));
      },
      .find = [state_dir] { return network::KnockAtDoor(state_dir); },
  };
}

void ServedRelay::Leave(std::vector<network::Networks::Entry> networks) {
  const std::lock_guard lock(mutex_);
  for (network::Networks::Entry& network : networks) {
    std::string sandbox = network.sandbox;
    left_.insert_or_assign(std::move(sandbox), std::move(network));
  }
}

std::optional<network::Networks::Entry> ServedRelay::Claim(const std::string& sandbox) {
  const std::lock_guard lock(mutex_);
  auto claimed = left_.extract(sandbox);
  if (claimed.empty()) return std::nullopt;
  return std::move(claimed.mapped());
}

std::vector<std::string> ServedRelay::Unclaimed() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> unclaimed;
  for (const auto& [sandbox, network] : left_) unclaimed.push_back(sandbox);
  return unclaimed;
}

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
  network::RelayProcess process = TRY(source_.start(RelayUse::kChecking));
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
  auto relay = Number(TRY(source_.start(RelayUse::kServing)));
  if (auto greeted = relay->link.Hello(greeting(true)); !greeted) {
    (void)sys::PidfdSendSignal(relay->pidfd, SIGKILL);
    return Failure(std::move(greeted).error().WithContext("the network relay does not start"));
  }
  SetCurrent(relay);
  return relay;
}

std::shared_ptr<ServedRelay> RelaySupply::Number(network::RelayProcess process) {
  auto relay = std::make_shared<ServedRelay>(++started_, std::move(process));
  relay->link.TellDials([this, weak = std::weak_ptr(relay)](const network::DialRequest& request) {
    on_dial_(weak, request);
  });
  return relay;
}

void RelaySupply::SetCurrent(std::shared_ptr<ServedRelay> relay) {
  const std::lock_guard lock(mutex_);
  current_ = std::move(relay);
}

Result<void> RelaySupply::TakeOver(ServedRelay& relay) {
  TRY(relay.link.Hello(greeting(true)));
  relay.Leave(TRY(relay.link.List()));
  return {};
}

void RelaySupply::TakeOver() {
  const std::lock_guard one_start_at_a_time(starting_);
  if (!source_.find || Current()) return;
  auto found = source_.find();
  if (!found) {
    LogWarning("the network relay of the server before is not reached: " +
               found.error().ToString());
    return;
  }
  if (!*found) return;
  const std::string which =
      "the network relay of the server before (process " + std::to_string((*found)->pid) + ")";
  auto relay = Number(**std::move(found));
  if (const auto taken = TakeOver(*relay); !taken) {
    LogWarning(which +
               " is replaced, and the connections of sandboxes break: " + taken.error().ToString());
    KillAndWait(relay->pidfd);
    ++lost_;
    return;
  }
  LogInfo(which + " serves on: networks " + std::to_string(relay->Unclaimed().size()));
  SetCurrent(std::move(relay));
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
