#include "template/registry/connections.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "http/transport/tls.h"

namespace cay::templates::registry {
namespace {

constexpr size_t kDiscarded = 64 * kKiB;

}  // namespace

Answer::Answer(Connections& owner, http::Location where, std::unique_ptr<http::Client> client,
               std::unique_ptr<http::ClientResponse> response)
    : owner_(owner),
      where_(std::move(where)),
      client_(std::move(client)),
      response_(std::move(response)) {}

Answer::~Answer() {
  response_.reset();
  if (is_whole_) owner_.Keep(where_.url, std::move(client_));
}

std::string Answer::Header(std::string_view name) const {
  return std::string(headers().Find(name).value_or(""));
}

Result<std::optional<uint64_t>> Answer::ContentLength() const {
  const auto field = headers().Find("Content-Length");
  if (!field) return std::nullopt;
  const auto length = ParseUnsigned(Trim(*field));
  if (!length) {
    return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                         where_.Origin() + " sent a Content-Length that is no number"));
  }
  return *length;
}

Result<size_t> Answer::Read(std::span<char> space) {
  const auto got = response_->Read(space);
  if (got && *got == 0) is_whole_ = true;
  return got;
}

Result<std::string> Answer::ReadAll(size_t max_bytes) {
  auto body = response_->ReadAll(max_bytes);
  is_whole_ = body.has_value();
  return body;
}

void Answer::Discard() { static_cast<void>(ReadAll(kDiscarded)); }

std::unique_ptr<http::Client> Connections::TakeIdle(const http::Url& url) {
  const std::lock_guard lock(mutex_);
  const int64_t oldest = SteadyMs() - kMaxIdleTime.count();
  std::erase_if(idle_, [&](const Idle& one) { return one.since_ms < oldest; });
  const auto found =
      std::ranges::find_if(idle_, [&](const Idle& one) { return http::SameOrigin(one.url, url); });
  if (found == idle_.end()) return nullptr;
  auto client = std::move(found->client);
  idle_.erase(found);
  return client;
}

void Connections::Keep(const http::Url& url, std::unique_ptr<http::Client> client) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() == kMaxIdle) idle_.erase(idle_.begin());
  idle_.push_back({.url = url, .client = std::move(client), .since_ms = SteadyMs()});
}

Result<std::unique_ptr<Answer>> Connections::SendAnew(const http::Location& where,
                                                      const http::ClientRequest& request) {
  std::optional<Error> last;
  for (const network::Address& address : TRY(guard_.Allowed(where.url.host, where.url.port))) {
    http::Url url = where.url;
    url.address = address.Text();
    auto client = http::Client::OpenWith(url, settings_.connect_timeout,
                                         url.scheme == "https" ? tls_ : nullptr);
    // A body that comes from a source has been begun once the source was asked for it.
    bool has_begun = false;
    http::ClientRequest sent = request;
    if (request.source) {
      sent.source = [&request, &has_begun](std::span<char> space) {
        has_begun = true;
        return request.source(space);
      };
    }
    auto response = client->Send(std::move(sent));
    if (response)
      return std::make_unique<Answer>(*this, where, std::move(client), *std::move(response));
    last = std::move(response).error();
    const bool may_try_next =
        !has_begun && last->sys_errno() != ECANCELED &&
        (last->code() == ErrorCode::kUnavailable || last->code() == ErrorCode::kTimeout);
    if (!may_try_next) break;
  }
  return Failure(*std::move(last));
}

Result<std::unique_ptr<Answer>> Connections::Send(const http::Location& where,
                                                  http::ClientRequest request) {
  request.target = where.target;
  request.headers.Set("Host", where.HostField());
  request.headers.Set("User-Agent", "cay");
  // What is digested is what is stored, and no other coding of it.
  request.headers.Set("Accept-Encoding", "identity");
  request.timeout = settings_.head_timeout;
  request.body_patience = http::BodyPatience{.stall = settings_.stall_timeout,
                                             .min_bytes_per_second = settings_.min_bytes_per_second,
                                             .window = settings_.rate_window};
  struct Wiper {
    http::Headers& headers;
    ~Wiper() { headers.WipeAll("Authorization"); }
  } const wiper{request.headers};
  // A kept connection that has ended meanwhile is the client's to notice, and to open again; but a
  // body from a source cannot be sent twice, and what it opens again goes where it was checked
  // before, so it is young.
  if (auto client = request.source ? nullptr : TakeIdle(where.url)) {
    auto response = client->Send(request);
    if (response)
      return std::make_unique<Answer>(*this, where, std::move(client), *std::move(response));
    if (response.error().code() != ErrorCode::kUnavailable ||
        response.error().sys_errno() == ECANCELED)
      return Failure(std::move(response).error().WithContext(where.Origin()));
  }
  auto answer = SendAnew(where, request);
  if (!answer) {
    // Its own words name the server already where it was not reached.
    Error error = std::move(answer).error();
    if (error.message().contains(where.url.host)) return Failure(std::move(error));
    return Failure(std::move(error).WithContext(where.Origin()));
  }
  return answer;
}

}  // namespace cay::templates::registry
