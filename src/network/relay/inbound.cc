#include "network/relay/inbound.h"

#include <sys/socket.h>
#include <algorithm>

#include <array>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "network/relay/flow_log.h"
#include "network/transfer/reset.h"

namespace cay::network {
namespace {

constexpr Millis kRetry{20};  // pipes come back when others have sent theirs on

Flow FlowOf(const RelayOrder& order, int64_t time_unix_ms, Verdict verdict, std::string reason) {
  return {.time_unix_ms = time_unix_ms,
          .address = order.peer,
          .port = order.port,
          .verdict = verdict,
          .reason = std::move(reason),
          .rule = order.rule,
          .inbound = true};
}

}  // namespace

struct Inbound::Log {
  FlowLog flows{};
  NetworkCounts counts{};
  bool news_told = false;
  std::map<Pair*, std::unique_ptr<Pair>> pairs{};
};

class Inbound::Pair final : public EventLoop::Object {
 public:
  Pair(Inbound& all, Log& log, const RelayOrder& order, Fd outside, Fd inside)
      : all_(all),
        log_(log),
        order_(order),
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

  const std::string& sandbox() const { return order_.sandbox; }
  // Without a word.
  void Abandon() { Close(true); }

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
    const uint64_t sent = out_.bytes();
    const uint64_t received = in_.bytes();
    auto moved = in_.Move(outside_.socket, inside_.socket);
    if (moved) moved = out_.Move(inside_.socket, outside_.socket);
    log_.counts.sent += out_.bytes() - sent;
    log_.counts.received += in_.bytes() - received;
    if (!moved) return Finish(Verdict::kAllowed, "it was reset: " + moved.error().message(), true);
    if (in_.over() && out_.over()) return Finish(Verdict::kAllowed, {}, false);
    const auto events = [](bool read, bool write) {
      return (read ? uint32_t{EPOLLIN} : 0U) | (write ? uint32_t{EPOLLOUT} : 0U);
    };
    if (in_.starved() || out_.starved()) retry_.Set(kRetry);
    if (!outside_.Await(events(in_.wants_source(), out_.wants_target())) ||
        !inside_.Await(events(out_.wants_source(), in_.wants_target())))
      Finish(Verdict::kFailed, "its sockets cannot be watched", true);
  }

  void OnIdle() {
    const uint64_t moved = in_.bytes() + out_.bytes();
    if (moved == moved_) {
      return Finish(Verdict::kDenied, "nothing was sent for " + FormatDuration(idle_limit_), true);
    }
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

  void Finish(Verdict verdict, std::string reason, bool reset) {
    Close(reset);
    Flow flow = FlowOf(order_, began_unix_ms_, verdict, std::move(reason));
    flow.duration_ms = static_cast<uint32_t>(
        std::chrono::duration_cast<Millis>(EventLoop::Clock::now() - began_).count());
    flow.sent = out_.bytes();
    flow.received = in_.bytes();
    all_.End(*this, std::move(flow));
  }

  Inbound& all_;
  Log& log_;
  const RelayOrder order_;
  const EventLoop::Clock::time_point began_ = EventLoop::Clock::now();
  const int64_t began_unix_ms_ = UnixMs();
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

Inbound::Inbound(EventLoop& loop, Deadlines& deadlines, PipePool& pipes, News news)
    : loop_(loop), deadlines_(deadlines), pipes_(pipes), news_(std::move(news)) {}

Inbound::~Inbound() = default;

bool Inbound::empty() const {
  return std::ranges::all_of(logs_, [](const auto& log) { return log.second->pairs.empty(); });
}

void Inbound::Tell(const std::string& sandbox, Log& log, Flow flow) {
  if (flow.verdict == Verdict::kDenied) ++log.counts.denied;
  if (flow.verdict == Verdict::kFailed) ++log.counts.failed;
  log.flows.Add(std::move(flow));
  if (!log.news_told) log.news_told = news_(sandbox);
}

void Inbound::Relay(const RelayOrder& order, Fd outside, Fd inside) {
  if (!logs_.contains(order.sandbox) && logs_.size() >= kMaxNetworks) {
    LogWarning("a connection to a port of sandbox " + order.sandbox +
               " is refused: too many sandboxes have published ports");
    return ResetOnClose(outside);
  }
  std::unique_ptr<Log>& place = logs_[order.sandbox];
  if (!place) place = std::make_unique<Log>();
  Log& log = *place;
  ++log.counts.connections;
  ++log.counts.inbound;
  const auto refuse = [&](Verdict verdict, std::string reason) {
    ResetOnClose(outside);
    Tell(order.sandbox, log, FlowOf(order, UnixMs(), verdict, std::move(reason)));
  };
  if (!SetNonBlocking(outside, true) || !SetNonBlocking(inside, true))
    return refuse(Verdict::kFailed, "its sockets cannot be used");
  if (log.pairs.size() >= order.connections) {
    return refuse(Verdict::kDenied, "over the limit of " + std::to_string(order.connections) +
                                        " connections at a time");
  }
  auto pair = std::make_unique<Pair>(*this, log, order, std::move(outside), std::move(inside));
  Pair& begun = *pair;
  log.pairs.emplace(&begun, std::move(pair));
  ++log.counts.open;
  begun.Begin();
}

Flows Inbound::FlowsAfter(const std::string& sandbox, uint64_t number) {
  const auto found = logs_.find(sandbox);
  if (found == logs_.end()) return {};
  Log& log = *found->second;
  Flows flows = log.flows.After(number);
  flows.counts = log.counts;
  log.news_told = false;
  return flows;
}

void Inbound::Forget(const std::string& sandbox) {
  const auto found = logs_.find(sandbox);
  if (found == logs_.end()) return;
  for (auto& [key, pair] : found->second->pairs) {
    pair->Abandon();
    loop_.Dispose(std::move(pair));
  }
  logs_.erase(found);
}

void Inbound::End(Pair& pair, Flow flow) {
  const std::string sandbox = pair.sandbox();
  Log& log = *logs_.at(sandbox);
  const auto found = log.pairs.find(&pair);
  // Its sockets close when the handlers that run have returned.
  loop_.Dispose(std::move(found->second));
  log.pairs.erase(found);
  --log.counts.open;
  Tell(sandbox, log, std::move(flow));
}

}  // namespace cay::network
