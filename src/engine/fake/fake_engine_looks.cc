// What changes no state of a sandbox, and what tests do to it.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "engine/fake/fake_engine.h"

namespace cay::engine::fake {

Result<Stats> FakeEngine::GetStats(const SandboxId& id) {
  return Do(Call::kGetStats, [&]() -> Result<Stats> {
    const FakeSandbox& sandbox = *TRY(Find(id));
    Stats stats;
    stats.memory = kMiB;
    stats.oom_kills = sandbox.oom_kills;
    stats.cpu_us = 1000;
    stats.pids = sandbox.guest ? 1 : 0;
    return stats;
  });
}

Result<std::optional<uint64_t>> FakeEngine::OomKills(const SandboxId& id) {
  return Do(Call::kOomKills,
            [&]() -> Result<std::optional<uint64_t>> { return TRY(Find(id))->oom_kills; });
}

Result<Fd> FakeEngine::Connect(const SandboxId& id, Millis) {
  return Do(Call::kConnect, [&]() -> Result<Fd> {
    const FakeSandbox& sandbox = *TRY(Find(id));
    const bool reachable = sandbox.state == State::kRunning || sandbox.state == State::kStopped;
    if (sandbox.guest && reachable) return sandbox.guest->Connect();
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                         "the sandbox is " + std::string(StateName(sandbox.state))));
  });
}

Result<Fd> FakeEngine::Watch(const SandboxId& id) {
  return Do(Call::kWatch, [&]() -> Result<Fd> {
    const FakeSandbox& sandbox = *TRY(Find(id));
    if (sandbox.guest) return sandbox.guest->Watch();
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller, "there is no guest"));
  });
}

namespace {

// Whether the other end of a pipe is closed.
bool IsClosed(const Fd& reader) {
  pollfd poller{.fd = reader.get(), .events = 0, .revents = 0};
  return ::poll(&poller, 1, 0) > 0 && (poller.revents & POLLHUP) != 0;
}

sockaddr_in LoopbackAt(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Result<uint16_t> PortOf(const Fd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
    return Failure(Error::FromErrno("a fake network"));
  return ntohs(address.sin_port);
}

Result<Fd> BindToLoopback(int type) {
  Fd socket = Fd::Adopt(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = LoopbackAt(0);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Failure(Error::FromErrno("a fake network"));
  return socket;
}

Result<Fd> ListenOnLoopback() {
  Fd socket = TRY(BindToLoopback(SOCK_STREAM));
  if (::listen(socket.get(), 16) < 0) return Failure(Error::FromErrno("a fake network"));
  return socket;
}

Result<Fd> AnswerOnLoopback() {
  Fd socket = TRY(BindToLoopback(SOCK_DGRAM));
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0)
    return Failure(Error::FromErrno("a fake network"));
  return socket;
}

}  // namespace

// A sandbox has no namespace here: who connects to the socket is taken for a program inside, which
// wants to reach 127.0.0.1.
Result<NetworkSockets> FakeEngine::OpenNetwork(const SandboxId& id) {
  return Do(Call::kOpenNetwork, [&]() -> Result<NetworkSockets> {
    TRY(CheckCan(options_.can.network_policy, "open networks"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kRunning}));
    if (sandbox.network && !IsClosed(*sandbox.network)) {
      return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                           "the network of the sandbox is open already"));
    }
    NetworkSockets sockets;
    sockets.tcp_v4 = TRY(ListenOnLoopback());
    sockets.dns_udp_v4 = TRY(AnswerOnLoopback());
    Pipe hold = TRY(MakePipe());
    sockets.hold = std::move(hold.write);
    sandbox.network = std::move(hold.read);
    sandbox.network_port = TRY(PortOf(*sockets.tcp_v4));
    sandbox.dns_port = TRY(PortOf(*sockets.dns_udp_v4));
    return sockets;
  });
}

bool FakeEngine::HasNetwork(const SandboxId& id) {
  const std::lock_guard lock(machine_->mutex);
  const auto found = machine_->sandboxes.find(id);
  return found != machine_->sandboxes.end() && found->second.network &&
         !IsClosed(*found->second.network);
}

Result<Fd> FakeEngine::ConnectInside(const SandboxId& id) {
  uint16_t port = 0;
  {
    const std::lock_guard lock(machine_->mutex);
    port = TRY(Find(id))->network_port;
  }
  const sockaddr_in address = LoopbackAt(port);
  Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Failure(Error::FromErrno("connecting"));
  return socket;
}

Result<WrittenLayers> FakeEngine::OpenWritten(const SandboxId& id) {
  return Do(Call::kOpenWritten, [&]() -> Result<WrittenLayers> {
    TRY(CheckCan(options_.can.snapshot, "show what was written"));
    const FakeSandbox& sandbox = *TRY(Find(id));
    WrittenLayers written{
        .uppers = {}, .root = sandbox.request.root, .hostname = sandbox.request.hostname};
    written.uppers.push_back(TRY(machine_->written.Show(sandbox.files->All())));
    for (size_t i = 1; i < HostLayersOf(sandbox.request.root).overlays.size(); ++i)
      written.uppers.push_back(TRY(machine_->written.Show({})));
    return written;
  });
}

Result<void> FakeEngine::HoldStill(const SandboxId& id) {
  return Do(Call::kHoldStill, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.snapshot, "hold sandboxes still"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kRunning}));
    sandbox.guest->SetSilent(true);
    sandbox.still = true;
    return {};
  });
}

Result<void> FakeEngine::GoOn(const SandboxId& id) {
  return Do(Call::kGoOn, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.snapshot, "hold sandboxes still"));
    FakeSandbox& sandbox = *TRY(Find(id));
    if (std::exchange(sandbox.still, false) && sandbox.guest) sandbox.guest->SetSilent(false);
    return {};
  });
}

Result<Exit> FakeEngine::GetExit(const SandboxId& id) {
  return Do(Call::kGetExit, [&]() -> Result<engine::Exit> { return TRY(Find(id))->exit; });
}

Result<std::vector<SandboxStatus>> FakeEngine::List() {
  return Do(Call::kList, [&]() -> Result<std::vector<SandboxStatus>> {
    std::vector<SandboxStatus> list;
    for (auto& [id, sandbox] : machine_->sandboxes) {
      NoteExit(sandbox);
      SandboxStatus& status = list.emplace_back(SandboxStatus{.id = id});
      status.lifetime = sandbox.request.lifetime;
      status.created_unix_ms = sandbox.created_unix_ms;
      status.promised = sandbox.promise.has_value();
      status.orphaned_unix_ms = sandbox.orphaned_unix_ms;
      status.damage = sandbox.damage;
      status.state = sandbox.damage.empty() ? sandbox.state : State::kFailed;
      if (!sandbox.damage.empty()) continue;
      status.label = sandbox.request.label;
      status.limits = sandbox.request.limits;
      status.guest_protocol = sandbox.guest_protocol;
      status.layers = LayersOf(sandbox.request.root);
      status.volumes = sandbox.request.volumes;
    }
    return list;
  });
}

// Where there is no such sandbox the error is that of a directory that is not there, as the native
// engine's is.
Result<void> FakeEngine::Promise(const SandboxId& id, std::string_view promise) {
  return Do(Call::kPromise, [&]() -> Result<void> {
    const auto found = machine_->sandboxes.find(id);
    if (found == machine_->sandboxes.end()) return Failure(Error::FromErrno(id.text(), ENOENT));
    found->second.promise = promise;
    return {};
  });
}

Result<std::string> FakeEngine::ReadPromise(const SandboxId& id) {
  return Do(Call::kReadPromise, [&]() -> Result<std::string> {
    const auto found = machine_->sandboxes.find(id);
    if (found != machine_->sandboxes.end() && found->second.promise) return *found->second.promise;
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "nothing was promised"));
  });
}

Result<void> FakeEngine::Disown(const SandboxId& id) {
  return Do(Call::kDisown, [&]() -> Result<void> {
    FakeSandbox& sandbox = *TRY(FindAnyhow(id));
    sandbox.owner = nullptr;
    sandbox.orphaned_unix_ms = UnixMs();
    return {};
  });
}

Result<void> FakeEngine::Adopt(const SandboxId& id) {
  return Do(Call::kAdopt, [&]() -> Result<void> {
    FakeSandbox& sandbox = *TRY(FindAnyhow(id));
    if (!sandbox.damage.empty())
      return Failure(Error(ErrorCode::kIo, Fault::kMachine, sandbox.damage));
    sandbox.owner = this;
    sandbox.orphaned_unix_ms.reset();
    return {};
  });
}

// What ends with its engine ends when that does: nothing is ever left behind but orphans.
Result<GarbageReport> FakeEngine::CollectGarbage(const GarbageOptions& options) {
  return Do(Call::kCollectGarbage, [&]() -> Result<GarbageReport> {
    GarbageReport report;
    for (auto next = machine_->sandboxes.begin(); next != machine_->sandboxes.end();) {
      const auto entry = next++;
      FakeSandbox& sandbox = entry->second;
      const bool is_old = sandbox.orphaned_unix_ms && options.orphans_older &&
                          UnixMs() - *sandbox.orphaned_unix_ms >= options.orphans_older->count();
      if (!is_old) continue;
      report.orphans.push_back(entry->first.text());
      if (!options.dry_run) machine_->sandboxes.erase(entry);
    }
    return report;
  });
}

Result<void> FakeEngine::Enter(Call call) {
  {
    std::unique_lock lock(mutex_);
    Kind& kind = KindOf(call);
    ++kind.calls;
    ++kind.waiting;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !kind.held; });
    --kind.waiting;
  }
  return TakeFailure(call, When::kBefore);
}

Result<void> FakeEngine::TakeFailure(Call call, When when) {
  const std::lock_guard lock(mutex_);
  std::deque<Failing>& failures = KindOf(call).failures;
  if (failures.empty() || failures.front().when != when) return {};
  Error error = failures.front().error;
  if (--failures.front().times == 0) failures.pop_front();
  return Failure(std::move(error));
}

void FakeEngine::Fail(Call call, Error error, size_t times, When when) {
  const std::lock_guard lock(mutex_);
  KindOf(call).failures.push_back({std::move(error), times, when});
}

FakeEngine::Held::Held(FakeEngine& engine, Call call) : engine_(engine), call_(call) {
  const std::lock_guard lock(engine_.mutex_);
  engine_.KindOf(call_).held = true;
}

FakeEngine::Held::~Held() {
  {
    const std::lock_guard lock(engine_.mutex_);
    engine_.KindOf(call_).held = false;
  }
  engine_.changed_.notify_all();
}

void FakeEngine::Held::AwaitCaller() {
  std::unique_lock lock(engine_.mutex_);
  engine_.changed_.wait(lock, [&] { return engine_.KindOf(call_).waiting != 0; });
}

size_t FakeEngine::calls(Call call) const {
  const std::lock_guard lock(mutex_);
  return kinds_[static_cast<size_t>(call)].calls;
}

void FakeEngine::EndGuest(const SandboxId& id, const engine::Exit& end) {
  const std::lock_guard lock(machine_->mutex);
  FakeSandbox& sandbox = machine_->sandboxes.at(id);
  sandbox.end_is = end;
  if (end.reason == ExitReason::kOomKilled) ++sandbox.oom_kills;
  if (sandbox.guest) sandbox.guest->End();
}

void FakeEngine::KillInside(const SandboxId& id) {
  const std::lock_guard lock(machine_->mutex);
  ++machine_->sandboxes.at(id).oom_kills;
}

void FakeEngine::SetSilent(const SandboxId& id, bool silent) {
  const std::lock_guard lock(machine_->mutex);
  FakeSandbox& sandbox = machine_->sandboxes.at(id);
  if (sandbox.guest) sandbox.guest->SetSilent(silent);
}

void FakeEngine::Damage(const SandboxId& id, std::string why) {
  const std::lock_guard lock(machine_->mutex);
  machine_->sandboxes.at(id).damage = std::move(why);
}

void FakeEngine::Forget(const SandboxId& id) {
  const std::lock_guard lock(machine_->mutex);
  machine_->sandboxes.erase(id);
}

}  // namespace cay::engine::fake
