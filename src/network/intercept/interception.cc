#include "network/intercept/interception.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

namespace cay::network {
namespace {

using Wants = http::TlsSession::Wants;
using End = HttpExchange::End;

constexpr size_t kPiece = size_t{16} * 1024;  // a record of TLS
constexpr int kMostRounds = 32;  // of one step, so that no connection keeps others waiting

}  // namespace

Result<std::unique_ptr<Interception>> Interception::Begin(
    Interceptor& interceptor, std::shared_ptr<const Credentials> credentials, Place place,
    int client, int upstream) {
  const auto server = TRY(interceptor.ServerFor(place.name));
  auto to_client = TRY(server->Accept(client));
  auto to_upstream = TRY(interceptor.client().Connect(upstream, place.name));
  return std::unique_ptr<Interception>(new Interception(
      std::move(credentials), place, std::move(to_client), std::move(to_upstream)));
}

void Interception::Finish(End end) {
  if (over_) return;
  over_ = true;
  end_ = std::move(end);
  client_.tls->CloseNotify();
  upstream_.tls->CloseNotify();
}

bool Interception::Greet(Side& side, bool is_client) {
  const auto wants = side.tls->Handshake();
  if (wants) {
    side.wants = *wants;
    side.ready = *wants == Wants::kNothing;
    return side.ready;
  }
  side.failed = true;
  side.wants = Wants::kNothing;
  if (is_client) {
    Finish({.kind = End::Kind::kFailed,
            .reason = "the program did not take the certificate with which requests to " + name_ +
                      " are given their secrets: " + wants.error().message()});
  } else {
    exchange_.RefuseAll(502, name_ + ": " + wants.error().message());
  }
  return true;
}

bool Interception::ReadClient() {
  if (!exchange_.WantsClient()) return false;
  std::array<char, kPiece> space;
  const auto got = client_.tls->TryRead(space);
  client_.wants = client_.tls->wants();
  if (got && !*got) return false;
  if (!got || **got == 0) {
    exchange_.ClientEnded();
  } else {
    exchange_.client_in.append(space.data(), **got);
  }
  return true;
}

bool Interception::ReadUpstream() {
  if (!exchange_.WantsUpstream()) return false;
  std::array<char, kPiece> space;
  const auto got = upstream_.tls->TryRead(space);
  upstream_.wants = upstream_.tls->wants();
  if (got && !*got) return false;
  if (!got || **got == 0) {
    exchange_.UpstreamEnded(got.has_value());
  } else {
    exchange_.upstream_in.append(space.data(), **got);
  }
  return true;
}

bool Interception::Write(Side& side, std::string& queue, uint64_t& count) {
  if (queue.empty() || side.failed) return false;
  const auto put = side.tls->TryWrite(std::string_view(queue).substr(0, kPiece));
  side.wants = side.tls->wants();
  if (!put) {
    side.failed = true;
    queue.clear();
    return true;
  }
  queue.erase(0, *put);
  count += *put;
  return *put > 0;
}

// What is left of its queues is nobody's, or sent.
bool Interception::Drained() const {
  return exchange_.client_out.empty() && (exchange_.upstream_out.empty() || !upstream_.ready);
}

bool Interception::Round() {
  bool did = false;
  if (!client_.ready) did = Greet(client_, true);
  if (!over_ && !upstream_.ready && !upstream_.failed) did = Greet(upstream_, false) || did;
  const bool settled = upstream_.ready || upstream_.failed;
  if (over_ || !client_.ready || !settled) return did;
  did = ReadClient() || did;
  if (upstream_.ready) did = ReadUpstream() || did;
  exchange_.Pump();
  if (upstream_.ready) did = Write(upstream_, exchange_.upstream_out, sent_) || did;
  did = Write(client_, exchange_.client_out, received_) || did;
  if (client_.failed) {
    Finish({.kind = End::Kind::kDone, .reason = "the sandbox's end was reset"});
  } else if (exchange_.over() && Drained()) {
    Finish(exchange_.end());
  } else if (upstream_.ready && upstream_.failed && !exchange_.over()) {
    exchange_.UpstreamEnded(false);
    exchange_.Pump();
  }
  return did;
}

void Interception::Step(uint64_t allowance) {
  again_ = false;
  const uint64_t before = sent_ + received_;
  for (int round = 0; round < kMostRounds && !over_; ++round) {
    if (sent_ + received_ - before >= allowance) break;
    if (Round()) continue;
    exchange_.Shrink();
    return;
  }
  again_ = !over_;
}

uint32_t Interception::EventsOf(const Side& side, bool reads, bool writes) {
  if (side.failed) return 0;
  if (!side.ready) return side.wants == Wants::kWrite ? EPOLLOUT : EPOLLIN;
  uint32_t events = 0;
  if (reads) events |= EPOLLIN;
  if (writes || side.wants == Wants::kWrite) events |= EPOLLOUT;
  return events;
}

uint32_t Interception::client_events() const {
  const bool settled = upstream_.ready || upstream_.failed;
  if (client_.ready && !settled) return 0;
  return EventsOf(client_, exchange_.WantsClient(), !exchange_.client_out.empty());
}

uint32_t Interception::upstream_events() const {
  if (upstream_.ready && !client_.ready) return 0;
  return EventsOf(upstream_, exchange_.WantsUpstream(), !exchange_.upstream_out.empty());
}

}  // namespace cay::network
