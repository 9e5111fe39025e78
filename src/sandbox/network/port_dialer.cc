#include "sandbox/network/port_dialer.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace cay::sandbox {
namespace {

// The request for a port is the same in every version of the protocol.
constexpr uint32_t kFirstProtocol = 1;
constexpr Millis kAskPatience{1000};

Error Busy(std::string_view who) {
  return {ErrorCode::kResourceExhausted, Fault::kCaller,
          "too many connections to ports of " + std::string(who) + " wait for an answer"};
}

}  // namespace

Result<PendingPort> AskForPort(engine::Engine& engine, const SandboxId& id, uint16_t port) {
  const GuestChannel guest([&] { return engine.Connect(id, Millis(0)); }, kAskPatience,
                           kFirstProtocol);
  return guest.BeginConnectPort(port);
}

class PortDialer::One final : public EventLoop::Handler {
 public:
  One(PortDialer& all, PortOf to, Done done)
      : all_(all), to_(std::move(to)), done_(std::move(done)), late_(all.deadlines_, [this] {
          all_.End(*this, Failure(Error(ErrorCode::kTimeout, Fault::kCaller,
                                        "the sandbox did not connect to its port " +
                                            std::to_string(to_.port) + " within " +
                                            FormatDuration(kPatience))));
        }) {
    late_.Set(kPatience);
  }
  ~One() override { Forget(); }
  One(const One&) = delete;
  One& operator=(const One&) = delete;

  const PortOf& to() const { return to_; }

  // Its end may be in here.
  void Begin() {
    auto port = all_.ask_(to_.sandbox, to_.port);
    if (!port) return all_.End(*this, Failure(std::move(port).error()));
    port_.emplace(*std::move(port));
    if (auto watched = all_.loop_.Watch(port_->fd(), EPOLLIN, *this); !watched) {
      port_.reset();
      all_.End(*this, Failure(std::move(watched).error()));
    }
  }

  void OnReady(uint32_t /*events*/) override {
    auto next = port_->Next();
    if (next && !*next) return;
    if (!next) return all_.End(*this, Failure(std::move(next).error()));
    all_.loop_.Forget((*next)->get());
    port_.reset();
    all_.End(*this, **std::move(next));
  }

  Done Take() {
    late_.Clear();
    Forget();
    return std::move(done_);
  }

 private:
  void Forget() {
    if (port_) all_.loop_.Forget(port_->fd());
    port_.reset();
  }

  PortDialer& all_;
  const PortOf to_;
  Done done_;
  std::optional<PendingPort> port_;
  network::Deadline late_;
};

PortDialer::PortDialer(EventLoop& loop, network::Deadlines& deadlines, Ask ask)
    : loop_(loop), deadlines_(deadlines), ask_(std::move(ask)) {}

PortDialer::~PortDialer() = default;

void PortDialer::Dial(PortOf to, Done done) {
  Target& target = targets_[to.sandbox];
  auto one = std::make_unique<One>(*this, std::move(to), std::move(done));
  if (target.under_way.size() < kPerSandbox) return Begin(target, std::move(one));
  if (target.waiting.size() < kWaiting) {
    target.waiting.push_back(std::move(one));
    return;
  }
  one->Take()(Failure(Busy("this sandbox")));
}

void PortDialer::Begin(Target& target, std::unique_ptr<One> one) {
  One& begun = *one;
  ++under_way_;
  const size_t of_owner = ++of_owner_[begun.to().owner];
  target.under_way.emplace(&begun, std::move(one));
  if (of_owner > kPerOwner) return End(begun, Failure(Busy("this owner's sandboxes")));
  if (under_way_ > kInAll) return End(begun, Failure(Busy("all sandboxes")));
  begun.Begin();
}

void PortDialer::End(One& one, Result<Fd> socket) {
  const SandboxId sandbox = one.to().sandbox;
  Target& target = targets_.at(sandbox);
  std::unique_ptr<One> ended;
  if (const auto found = target.under_way.find(&one); found != target.under_way.end()) {
    ended = std::move(found->second);
    target.under_way.erase(found);
    --under_way_;
    const auto owner = of_owner_.find(one.to().owner);
    if (--owner->second == 0) of_owner_.erase(owner);
  } else {
    const auto waiting = std::ranges::find(target.waiting, &one, &std::unique_ptr<One>::get);
    ended = std::move(*waiting);
    target.waiting.erase(waiting);
  }
  const Done done = one.Take();
  loop_.Dispose(std::move(ended));
  done(std::move(socket));
  BeginWaiting(sandbox);
}

void PortDialer::BeginWaiting(const SandboxId& sandbox) {
  const auto found = targets_.find(sandbox);
  if (found == targets_.end()) return;
  Target& target = found->second;
  if (!target.waiting.empty() && target.under_way.size() < kPerSandbox) {
    std::unique_ptr<One> next = std::move(target.waiting.front());
    target.waiting.pop_front();
    return Begin(target, std::move(next));
  }
  if (target.waiting.empty() && target.under_way.empty()) targets_.erase(found);
}

}  // namespace cay::sandbox
