#include "network/relay/inbound.h"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <utility>

#include "network/transfer/reset.h"

namespace cay::network {
namespace {

constexpr Millis kRetry{20};  // pipes come back when others have sent theirs on

}  // namespace

class Inbound::Pair final : public EventLoop::Object {
 public:
  Pair(Inbound& all, const RelayOrder& order, Fd outside, Fd inside)
      : all_(all),
        sandbox_(order.sandbox),
        idle_limit_(std::chrono::seconds(order.idle_seconds)),
        outside_(*this, std::move(outside)),
        inside_(*this, std::move(inside)),
        in_(all.pipes_),
        out_(all.pipes_),
        idle_(all.deadlines_, [this] { OnIdle(); }),
        retry_(all.deadlines_, [this] { Move(); }) {}

  ~Pair() override { Close(true); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  const std::string& sandbox() const { return sandbox_; }

  void Begin() {
    idle_.Set(idle_limit_);
    Move();
  }

 private:
  // One of the two sockets. Of a descriptor that is watched a hang-up is told whether it was asked
  // for or not: so one of which nothing is awaited is not watched.
  struct End final : EventLoop::Handler {
    End(Pair& a_pair, Fd a_socket) : pair(a_pair), socket(std::move(a_socket)) {}
    void OnReady(uint32_t /*events*/) override { pair.Move(); }

    bool Await(uint32_t wanted) {
      if (wanted == events) return true;
      const uint32_t before = std::exchange(events, wanted);
      EventLoop& loop = pair.all_.loop_;
      if (wanted == 0) {
        loop.Forget(socket.get());
      } else if (before != 0) {
        loop.Change(socket.get(), wanted);
      } else {
        return loop.Watch(socket.get(), wanted, *this).has_value();
      }
      return true;
    }

    Pair& pair;
    Fd socket;
    uint32_t events = 0;
  };

  void Move() {
    if (over_) return;
    const bool moved =
        in_.Move(outside_.socket, inside_.socket) && out_.Move(inside_.socket, outside_.socket);
    if (!moved || (in_.over() && out_.over())) return Finish(!moved);
    const auto events = [](bool read, bool write) {
      return (read ? uint32_t{EPOLLIN} : 0U) | (write ? uint32_t{EPOLLOUT} : 0U);
    };
    if (in_.starved() || out_.starved()) retry_.Set(kRetry);
    if (!outside_.Await(events(in_.wants_source(), out_.wants_target())) ||
        !inside_.Await(events(out_.wants_source(), in_.wants_target())))
      Finish(true);
  }

  void OnIdle() {
    const uint64_t moved = in_.bytes() + out_.bytes();
    if (moved == moved_) return Finish(true);
    moved_ = moved;
    idle_.Set(idle_limit_);
  }

  void Close(bool reset) {
    if (std::exchange(over_, true)) return;
    idle_.Clear();
    retry_.Clear();
    for (End* end : {&outside_, &inside_}) {
      end->Await(0);
      if (reset) ResetOnClose(end->socket);
    }
  }

  void Finish(bool reset) {
    Close(reset);
    all_.End(*this);
  }

  Inbound& all_;
  const std::string sandbox_;
  const Millis idle_limit_;
  End outside_;
  End inside_;
  Lane in_;
  Lane out_;
  bool over_ = false;
  uint64_t moved_ = 0;  // at the last look for idleness
  Deadline idle_;
  Deadline retry_;
};

Inbound::Inbound(EventLoop& loop, Deadlines& deadlines, PipePool& pipes)
    : loop_(loop), deadlines_(deadlines), pipes_(pipes) {}

Inbound::~Inbound() = default;

size_t Inbound::CountOf(const std::string& sandbox) const {
  const auto found = pairs_.find(sandbox);
  return found == pairs_.end() ? 0 : found->second.size();
}

void Inbound::Relay(const RelayOrder& order, Fd outside, Fd inside) {
  const bool usable = SetNonBlocking(outside, true) && SetNonBlocking(inside, true);
  if (!usable || CountOf(order.sandbox) >= order.connections) return ResetOnClose(outside);
  auto pair = std::make_unique<Pair>(*this, order, std::move(outside), std::move(inside));
  Pair& begun = *pair;
  pairs_[order.sandbox].emplace(&begun, std::move(pair));
  begun.Begin();
}

void Inbound::End(Pair& pair) {
  const auto of_sandbox = pairs_.find(pair.sandbox());
  const auto found = of_sandbox->second.find(&pair);
  // Its sockets close when the handlers that run have returned.
  loop_.Dispose(std::move(found->second));
  of_sandbox->second.erase(found);
  if (of_sandbox->second.empty()) pairs_.erase(of_sandbox);
}

}  // namespace cay::network
