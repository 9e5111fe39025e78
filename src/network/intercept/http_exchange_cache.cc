// What an exchange does with a package cache.
#include "http/wire/serialize.h"
#include "network/intercept/http_exchange.h"

namespace cay::network {

// A server that reads some request as two would answer the next one with something that the sandbox
// has chosen. So an answer is kept only of a connection that has had nothing but the cache's own
// requests: a request that passes the cache by ends its use.
bool HttpExchange::TakeTurn(const http::Request& request, const http::Headers& headers) {
  turn_.reset();
  if (!cache_) return false;
  auto begun = upgrade_ || request.has_body || request.content_length
                   ? std::nullopt
                   : CacheTurn::Begin(*cache_, request.method, request.target, headers);
  if (!begun) {
    cache_.reset();
    return false;
  }
  turn_.emplace(*std::move(begun));
  request_ = Request::kAnswer;
  answer_ = Answer::kCheck;
  return true;
}

// A slice at a time: a body may be large, and others wait.
bool HttpExchange::CheckKept() {
  if (turn_->state() == CacheTurn::State::kChecking) turn_->CheckSome();
  switch (turn_->state()) {
    case CacheTurn::State::kChecking:
      busy_ = true;
      return true;
    case CacheTurn::State::kGiving:
      answer_ = Answer::kKept;
      return true;
    case CacheTurn::State::kAsking:
    case CacheTurn::State::kAnswered:
      AskForTurn();
      return true;
  }
  return false;
}

void HttpExchange::AskForTurn() {
  if (upstream_ended_ && refuse_status_ == 0) {
    // It ended between two requests. The client asks again, as it does of any server.
    if (!AnsweredFromCache()) Finish(End::Kind::kDone, {});
    return;
  }
  if (!upstream_in.empty()) {
    Finish(End::Kind::kFailed, "the server said something that was not asked for");
    return;
  }
  upstream_out += http::RequestLineAndHeaders(method_, target_, turn_->Request()) + "\r\n";
  answer_ = Answer::kHead;
}

bool HttpExchange::AnsweredFromCache() {
  if (!turn_ || !turn_->NoAnswer()) return false;
  upstream_out.clear();
  // There is no server for what the client asks next.
  keep_alive_ = false;
  answer_ = Answer::kKept;
  return true;
}

// Whether the answer is the cache's.
bool HttpExchange::TakeForTurn(const http::ResponseHead& head, const http::Headers& headers) {
  switch (turn_->Answered(head, headers)) {
    case CacheTurn::Taken::kPassOn:
      return false;
    case CacheTurn::Taken::kUseless:
      Refuse(502, "the server says that something else than was asked about is still good",
             End::Kind::kFailed);
      return true;
    case CacheTurn::Taken::kGive:
      break;
  }
  keep_alive_ = keep_alive_ && head.keep_alive;
  answer_ = Answer::kKept;
  return true;
}

bool HttpExchange::GiveKept() {
  if (client_out.size() >= kMaxQueued) return false;
  if (!answer_begun_) {
    client_out += turn_->Head(keep_alive_);
    answer_begun_ = true;
    ++from_cache_;
  }
  const auto piece = turn_->Read();
  if (!piece) {
    Finish(End::Kind::kFailed, piece.error().message());
    return true;
  }
  client_out += *piece;
  if (turn_->given()) AnswerIsDone();
  return true;
}

}  // namespace cay::network
