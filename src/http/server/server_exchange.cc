#include "http/server/server_exchange.h"

#include <algorithm>
#include <array>

#include "base/os/log.h"
#include "http/wire/gzip.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

// Of a request body that its handler did not want: so much is read over, if it is there, to keep
// the connection. What has not come yet is not waited for.
constexpr uint64_t kMaxDrain = 64 * kKiB;

Error Misuse(std::string_view what) {
  return {ErrorCode::kInternal, Fault::kMachine, std::string(what)};
}

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

ServerExchange::ServerExchange(Connection& connection, PendingRequest& pending,
                               const ServerLimits& limits, const std::atomic<bool>& draining,
                               int ending_fd)
    : connection_(connection),
      pending_(pending),
      head_(pending.head),
      body_(pending.body),
      limits_(limits),
      draining_(draining),
      ending_fd_(ending_fd),
      body_limit_(limits.max_body_bytes),
      read_pace_(pending.pace),
      keep_alive_(head_.keep_alive),
      continue_due_(head_.expects_continue && !body_.done()) {
  write_pace_.stall = limits.stall_timeout;
  write_pace_.min_bytes_per_second = limits.min_bytes_per_second;
  if (pending.quick()) read_pace_.stall = write_pace_.stall = Millis(0);
}

Result<std::optional<size_t>> ServerExchange::TryReadNext(std::span<char> space) {
  const std::string_view ahead = std::string_view(pending_.ahead).substr(ahead_used_);
  if (!ahead.empty()) {
    const size_t taken = ahead.copy(space.data(), space.size());
    ahead_used_ += taken;
    return taken;
  }
  if (pending_.failure) return Failure(*pending_.failure);
  return body_.TryRead(connection_.stream, connection_.input, space, read_pace_);
}

// What was taken in for a handler that wants all of it is given out as it is.
Result<std::string> ServerExchange::ReadWholeBody(size_t max_bytes) {
  const size_t size = pending_.ahead.size();
  const bool is_whole = body_.done() && !pending_.failure && ahead_used_ == 0;
  if (!is_whole || unreadable_ || size > std::min<uint64_t>(max_bytes, body_limit_)) {
    return Exchange::ReadWholeBody(max_bytes);
  }
  body_taken_ = size;
  return std::exchange(pending_.ahead, {});
}

Result<size_t> ServerExchange::ReadBody(std::span<char> space) {
  for (;;) {
    const std::optional<size_t> got = TRY(TryReadBody(space));
    if (got) return *got;
    if (auto waited = connection_.stream.AwaitReadable(read_pace_); !waited) {
      unreadable_ = true;
      return Failure(std::move(waited).error());
    }
  }
}

Result<std::optional<size_t>> ServerExchange::TryReadBody(std::span<char> space) {
  if (BodyTaken() || space.empty()) return size_t{0};
  if (unreadable_) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the connection is not usable"));
  }
  const auto too_large = [&] {
    unreadable_ = true;
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the request body is over the maximum of " + HumanBytes(body_limit_))
                       .WithRemedy("send at most " + std::to_string(body_limit_) + " bytes"));
  };
  const uint64_t ahead = pending_.ahead.size() - ahead_used_;
  if (body_.remaining() + ahead > body_limit_ - std::min(body_limit_, body_taken_)) {
    return too_large();
  }
  if (continue_due_) {
    continue_due_ = false;
    if (!started() && connection_.input.empty()) {
      constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      TRY(Send({&kContinue, 1}));
    }
  }
  auto got = TryReadNext(space);
  if (!got) {
    unreadable_ = true;
    if (got.error().code() == ErrorCode::kProtocol) {
      return Failure(Error::Invalid(got.error().message()));
    }
    return got;
  }
  if (!*got) return got;
  body_taken_ += **got;
  if (body_taken_ > body_limit_) return too_large();
  return got;
}

Result<void> ServerExchange::Send(std::span<const std::string_view> parts) {
  if (unwritable_) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the connection is not usable"));
  }
  auto sent = connection_.stream.Write(parts, write_pace_);
  if (!sent) unwritable_ = true;
  return sent;
}

void ServerExchange::DecideKeepAlive(const Headers& headers) {
  const bool body_is_unwanted = continue_due_ || pending_.failure || body_.remaining() > kMaxDrain;
  if (unreadable_ || body_is_unwanted || draining_.load(std::memory_order_relaxed) ||
      headers.ListContains("Connection", "close")) {
    keep_alive_ = false;
  }
}

Result<std::string> ServerExchange::MakeHead(int status, Headers headers,
                                             std::optional<uint64_t> content_length) {
  if (started()) return Failure(Misuse("a second response to one request"));
  if (headers.Find("Content-Length") || headers.Find("Transfer-Encoding")) {
    return Failure(Misuse("how a body is delimited is not the handler's to say"));
  }
  TRY(CheckHeaders(headers));
  DecideKeepAlive(headers);
  headers.Remove("Connection");
  std::string head = StatusLineAndHeaders(status, headers);
  if (!headers.Find("Date")) AppendHeader(head, "Date", DateNow());
  if (!headers.Find("X-Request-Id")) AppendHeader(head, "X-Request-Id", head_.request.id);
  if (HasNoBody(status)) {
    sending_ = Sending::kNoBody;
  } else if (content_length) {
    AppendHeader(head, "Content-Length", std::to_string(*content_length));
    sending_ = Sending::kLength;
    length_ = *content_length;
  } else if (head_.http_1_0) {
    sending_ = Sending::kUntilClose;
    keep_alive_ = false;
  } else {
    AppendHeader(head, "Transfer-Encoding", "chunked");
    sending_ = Sending::kChunked;
  }
  if (head_.request.method == "HEAD") sending_ = Sending::kNoBody;
  if (!keep_alive_) {
    AppendHeader(head, "Connection", "close");
  } else if (head_.http_1_0) {
    AppendHeader(head, "Connection", "keep-alive");
  }
  head += "\r\n";
  status_ = status;
  return head;
}

Result<void> ServerExchange::Respond(Response response) {
  // Nobody reads the body any more: whether the connection stays is known, and can be said.
  if (!started() && !DrainBody()) keep_alive_ = false;
  if (!started() && IsWorthGzip(response)) {
    response.headers.Add("Vary", "Accept-Encoding");
    if (AcceptsGzip(head_.request.headers)) {
      if (auto packed = Gzip(response.body)) {
        response.body = std::move(*packed);
        response.headers.Add("Content-Encoding", "gzip");
        // Another representation: only weakly the same (RFC 9110, 8.8.1).
        const auto etag = response.headers.Find("ETag");
        if (etag && !etag->starts_with("W/")) {
          response.headers.Set("ETag", "W/" + std::string(*etag));
        }
      }
    }
  }
  const std::string head =
      TRY(MakeHead(response.status, std::move(response.headers), response.body.size()));
  finished_ = true;
  if (sending_ == Sending::kNoBody) {
    const std::string_view part = head;
    return Send({&part, 1});
  }
  const std::array<std::string_view, 2> parts = {head, response.body};
  TRY(Send(parts));
  written_ = response.body.size();
  return {};
}

Result<void> ServerExchange::Begin(int status, Headers headers,
                                   std::optional<uint64_t> content_length) {
  const std::string head = TRY(MakeHead(status, std::move(headers), content_length));
  const std::string_view part = head;
  return Send({&part, 1});
}

Result<void> ServerExchange::Write(std::string_view bytes) {
  if (!started() || finished_) return Failure(Misuse("a piece of a body outside of one"));
  if (bytes.empty() || sending_ == Sending::kNoBody) return {};
  if (sending_ == Sending::kLength && bytes.size() > length_ - written_) {
    unwritable_ = true;
    return Failure(Misuse("a body longer than was said"));
  }
  if (sending_ == Sending::kChunked) {
    const std::string chunk_head = ChunkHead(bytes.size());
    const std::array<std::string_view, 3> parts = {chunk_head, bytes, kChunkEnd};
    TRY(Send(parts));
  } else {
    TRY(Send({&bytes, 1}));
  }
  written_ += bytes.size();
  return {};
}

Result<void> ServerExchange::Finish() {
  if (!started() || finished_) return Failure(Misuse("an end of a body outside of one"));
  if (sending_ == Sending::kLength && written_ != length_) {
    unwritable_ = true;
    return Failure(Misuse("a body shorter than was said"));
  }
  finished_ = true;
  if (sending_ == Sending::kChunked) TRY(Send({&kLastChunk, 1}));
  return {};
}

bool ServerExchange::DrainBody() {
  if (body_.done()) return true;
  if (unreadable_ || continue_due_ || pending_.failure || body_.remaining() > kMaxDrain) {
    return false;
  }
  std::array<char, 8192> space;
  for (uint64_t drained = 0; drained <= kMaxDrain;) {
    const auto got = body_.TryRead(connection_.stream, connection_.input, space, read_pace_);
    if (!got || !*got) return false;
    if (**got == 0) return true;
    drained += **got;
  }
  return body_.done();
}

bool ServerExchange::Conclude() {
  if (switched_) return false;
  if (!started()) {
    LogError("no answer from the handler of " + head_.request.method + " " + head_.request.path +
             ", request " + head_.request.id);
    keep_alive_ = false;
    status_ = 500;
    const std::string problem = ProblemResponse(500, "the server has a defect", head_.request.id);
    const std::string_view part = problem;
    static_cast<void>(Send({&part, 1}));  // the connection is closed in any case
    return false;
  }
  const bool complete = finished_ || sending_ == Sending::kNoBody ||
                        (sending_ == Sending::kLength && written_ == length_);
  return complete && !unwritable_ && keep_alive_ && DrainBody();
}

}  // namespace cay::http
