// What the server's threads do with a request: screened by its head, its body taken in, given to
// the handler.
#include <sys/epoll.h>

#include <exception>

#include "base/os/log.h"
#include "http/server/server_core.h"
#include "http/server/server_exchange.h"
#include "http/wire/head.h"
#include "http/wire/serialize.h"

namespace cay::http {

// Nothing when it was refused.
std::optional<Intake> ServerCore::ScreenOne(Connection& connection, Request& request) {
  if (!screen_) return Intake{};
  try {
    return screen_(request);
  } catch (const std::exception& error) {
    LogError("request " + request.id + ": " + error.what());
  }
  Refuse(connection, 500, "the server failed");
  return std::nullopt;
}

// One request. False when the connection ends with it, or waits for the rest of it.
bool ServerCore::ServeOne(Connection& connection, size_t head_bytes) {
  auto head = ParseRequestHead(connection.input.view().substr(0, head_bytes),
                               options_.limits.max_target_bytes);
  connection.input.Consume(head_bytes);
  if (!head) {
    Refuse(connection, head.error().status, head.error().detail);
    return false;
  }
  Request& request = head->request;
  request.peer = connection.peer;
  const auto given_id = request.headers.Find("X-Request-Id");
  request.id = given_id && IsRequestId(*given_id) ? std::string(*given_id) : NewRequestId();

  UnderWay counted(counters_.requests_active, request_ended_);
  // Whoever screens may wait for a lock; where no other thread is left to wait for events, it is
  // brief all the same.
  static_cast<void>(EnsureWaiter());
  auto intake = ScreenOne(connection, request);
  if (!intake) return false;
  PendingRequest pending(std::move(*head), std::move(*intake), options_.limits, bodies_,
                         std::move(counted));
  if (pending.TakeBody(connection.stream, connection.input, false)) return Run(connection, pending);
  connection.pending = std::make_unique<PendingRequest>(std::move(pending));
  AwaitBody(connection);
  return false;
}

void ServerCore::AwaitBody(Connection& connection) {
  const std::string_view go_on = connection.pending->TakeContinue();
  if (!go_on.empty()) {
    const auto sent = connection.stream.TryWrite({&go_on, 1});
    if (!sent || *sent != go_on.size()) return Close(connection);
  }
  connection.phase = Connection::Phase::kBody;
  const TlsSession* tls = connection.stream.tls();
  const bool writes = tls != nullptr && tls->wants() == TlsSession::Wants::kWrite;
  Arm(connection, Clock::now() + options_.limits.stall_timeout, writes ? EPOLLOUT : EPOLLIN);
}

// More of a body has come, or it does not in time.
void ServerCore::OnBody(Connection& connection) {
  if (!connection.pending->TakeBody(connection.stream, connection.input, connection.expired)) {
    return AwaitBody(connection);
  }
  connection.phase = Connection::Phase::kHead;
  static_cast<void>(EnsureWaiter());
  auto pending = std::move(connection.pending);
  if (!Run(connection, *pending)) return;
  pending.reset();
  if (stopping_) return Close(connection);
  if (!connection.input.empty()) {
    connection.head_deadline = Clock::now() + options_.limits.header_timeout;
  }
  if (!ServeBuffered(connection)) return;
  if (connection.stream.HasBuffered() || !connection.input.empty()) return OnHead(connection);
  Arm(connection, Clock::now() + options_.limits.idle_timeout, EPOLLIN);
}

// Answers that there is no place. Always false: the connection ends.
bool ServerCore::RefusePlace(Connection& connection, Shares::Taken taken) {
  if (taken == Shares::Taken::kShareIsUsed) {
    Refuse(connection, 429, "this client is at its maximum of requests under way");
  } else {
    Refuse(connection, 503, "the server is at its maximum of requests under way");
  }
  return false;
}

// Gives the request its place, and the handler the request. False when the connection ends with it.
bool ServerCore::Run(Connection& connection, PendingRequest& pending) {
  if (pending.quick()) return CallHandler(connection, pending);
  const bool is_public = pending.intake.lane == Intake::Lane::kPublic;
  Shares::Part place = (is_public ? public_places_ : places_).For(pending.intake.client);
  if (const auto taken = place.Take(1); taken != Shares::Taken::kYes) {
    return RefusePlace(connection, taken);
  }
  Shares::Part upload = uploads_.For(pending.intake.client);
  if (!pending.body.done() && !pending.failure) {
    const auto taken = upload.Take(1);
    if (taken != Shares::Taken::kYes) return RefusePlace(connection, taken);
  }
  if (!EnsureWaiter()) return RefusePlace(connection, Shares::Taken::kWholeIsUsed);
  return CallHandler(connection, pending);
}

bool ServerCore::CallHandler(Connection& connection, PendingRequest& pending) {
  ++counters_.requests;
  ServerExchange exchange(connection, pending, options_.limits, draining_, ending_.fd());
  try {
    handler_(exchange);
  } catch (const std::exception& error) {
    LogError("request " + exchange.request().id + ": " + error.what());
  }
  if (exchange.Conclude()) return true;
  BeginLinger(connection);
  return false;
}

}  // namespace cay::http
