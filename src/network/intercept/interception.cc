#include "network/intercept/interception.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

namespace cay::network {
namespace {

using Wants = Session::Wants;
using End = HttpExchange::End;

constexpr size_t kPiece = size_t{16} * 1024;  // a record of TLS
constexpr int kMostRounds = 32;  // of one step, so that no connection keeps others waiting

}  // namespace

Interception::Interception(std::shared_ptr<const http::TlsContext> to_servers,
                           std::shared_ptr<const Credentials> credentials, Place place,
                           Session client)
    : to_servers_(std::move(to_servers)),
      credentials_(std::move(credentials)),
      name_(place.name),
      cached_(place.cache.has_value()),
      exchange_(*credentials_, place.name, place.port),
      client_{.session = std::move(client)} {
  if (place.cache) exchange_.UseCache(*std::move(place.cache));
}

Result<std::unique_ptr<Interception>> Interception::Begin(
    Interceptor* interceptor, std::shared_ptr<const Credentials> credentials, Place place,
    int client) {
  std::optional<Session> session;
  if (interceptor == nullptr) {
    session = Session::Clear(client);
  } else {
    const auto server = TRY(interceptor->ServerFor(place.name));
    session = Session::Tls(TRY(server->Accept(client)));
  }
  return std::unique_ptr<Interception>(
      new Interception(interceptor == nullptr ? nullptr : interceptor->client(),
                       std::move(credentials), std::move(place), *std::move(session)));
}

bool Interception::wants_server() const {
  return !over_ && !upstream_.session && !upstream_.failed && !exchange_.upstream_out.empty();
}

Result<void> Interception::ServerIs(int upstream) {
  upstream_.session = to_servers_ == nullptr
                          ? Session::Clear(upstream)
                          : Session::Tls(TRY(to_servers_->Connect(upstream, name_)));
  return {};
}

void Interception::NoServer(int status, std::string reason, End::Kind kind) {
  upstream_.failed = true;
  exchange_.RefuseAll(status, std::move(reason), kind);
}

void Interception::Finish(End end) {
  if (over_) return;
  over_ = true;
  end_ = std::move(end);
  for (Side* side : {&client_, &upstream_})
    if (side->session) side->session->CloseNotify();
}

bool Interception::Greet(Side& side, bool is_client) {
  const auto wants = side.session->Handshake();
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
                      " are " +
                      (cached_ ? "answered from the package cache" : "given their secrets") + ": " +
                      wants.error().message()});
  } else {
    exchange_.RefuseAll(502, name_ + ": " + wants.error().message());
  }
  return true;
}

bool Interception::ReadClient() {
  if (!exchange_.WantsClient()) return false;
  std::array<char, kPiece> space;
  const auto got = client_.session->TryRead(space);
  client_.wants = client_.session->wants();
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
  const auto got = upstream_.session->TryRead(space);
  upstream_.wants = upstream_.session->wants();
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
  const auto put = side.session->TryWrite(std::string_view(queue).substr(0, kPiece));
  side.wants = side.session->wants();
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

// Nothing is read of a request before it is known whether there is a server for it, unless it may
// need none.
bool Interception::Settled() const { return cached_ || upstream_.ready || upstream_.failed; }

bool Interception::Round() {
  bool did = false;
  if (!client_.ready) did = Greet(client_, true);
  if (!over_ && upstream_.session && !upstream_.ready && !upstream_.failed)
    did = Greet(upstream_, false) || did;
  if (over_ || !client_.ready || !Settled()) return did;
  did = ReadClient() || did;
  if (upstream_.ready) did = ReadUpstream() || did;
  exchange_.Pump();
  did = exchange_.busy() || did;
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
    if (!Round()) {
      exchange_.Shrink();
      return;
    }
    if (exchange_.busy()) break;  // it takes time, and no bytes
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
  if (client_.ready && !Settled()) return 0;
  return EventsOf(client_, exchange_.WantsClient(), !exchange_.client_out.empty());
}

uint32_t Interception::upstream_events() const {
  if (!upstream_.session || (upstream_.ready && !client_.ready)) return 0;
  return EventsOf(upstream_, exchange_.WantsUpstream(), !exchange_.upstream_out.empty());
}

}  // namespace cay::network
