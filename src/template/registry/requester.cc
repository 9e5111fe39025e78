#include "template/registry/requester.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/text.h"
#include "http/transport/stream.h"
#include "json/json_value.h"
#include "template/registry/rules/retry_after.h"

namespace cay::templates::registry {
namespace {

constexpr size_t kMaxProblem = 64 * kKiB;
constexpr size_t kMaxUrls = 256;
constexpr size_t kConnectAttempts = 2;
constexpr Millis kLongestBackoff{30'000};

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool MayPass(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

bool WasStopped(const Error& error) { return error.sys_errno() == ECANCELED; }

// Waits so long, by the machine's clock; StoppedError when it was stopped meanwhile.
Result<void> Pause(Millis time, int stop_fd) {
  using Clock = std::chrono::steady_clock;
  pollfd waited = {.fd = stop_fd, .events = POLLIN, .revents = 0};
  const auto until = Clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(until - Clock::now());
    if (left <= Millis(0)) return {};
    const int ready = ::poll(&waited, 1, static_cast<int>(left.count()));
    if (ready > 0) return Failure(http::StoppedError());
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  }
}

http::Url SecureUrl(const Endpoint& endpoint) {
  http::Url url;
  url.scheme = "https";
  url.host = endpoint.host;
  url.port = endpoint.port.value_or(443);
  return url;
}

std::string Named(const Endpoint& endpoint) {
  return (endpoint.is_mirror ? "the mirror " : "the registry ") + endpoint.Name();
}

// The codes of OCI distribution-spec, "Error Codes". Nothing else of an answer is shown: it could
// have what the registry was shown.
std::string CodeIn(const std::string& body) {
  constexpr std::string_view kCodes[] = {
      "BLOB_UNKNOWN",          "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID",
      "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",    "MANIFEST_UNKNOWN",    "NAME_INVALID",
      "NAME_UNKNOWN",          "SIZE_INVALID",        "UNAUTHORIZED",        "DENIED",
      "UNSUPPORTED",           "TOOMANYREQUESTS"};
  const auto document = ParseJson(body);
  if (!document || document->AsObject() == nullptr) return {};
  for (const JsonMember& member : *document->AsObject()) {
    if (member.name != "errors" || member.value.AsArray() == nullptr) continue;
    for (const JsonValue& one : *member.value.AsArray()) {
      if (one.AsObject() == nullptr) continue;
      for (const JsonMember& field : *one.AsObject()) {
        const std::string* text = field.name == "code" ? field.value.AsString() : nullptr;
        if (text == nullptr) continue;
        const auto* known = std::ranges::find(kCodes, *text);
        if (known != std::end(kCodes)) return std::string(*known);
      }
    }
  }
  return {};
}

}  // namespace

Error StatusError(const Endpoint& endpoint, const std::string& what, Answer& answer) {
  const int status = answer.status();
  const std::string code = CodeIn(answer.ReadAll(kMaxProblem).value_or(""));
  const std::string said =
      std::to_string(status) + (code.empty() ? std::string() : " " + code) + ")";
  if (status == 404) {
    return {ErrorCode::kNotFound, Fault::kCaller,
            Named(endpoint) + " does not have " + what + " (" + said};
  }
  if (status == 403) {
    return {ErrorCode::kPermissionDenied, Fault::kCaller,
            Named(endpoint) + " does not give out " + what + " (" + said};
  }
  if (status >= 500) {
    return {ErrorCode::kUnavailable, Fault::kMachine,
            Named(endpoint) + " failed when it was asked for " + what + " (" + said};
  }
  return {ErrorCode::kProtocol, Fault::kMachine,
          Named(endpoint) + " gave an answer to the request for " + what +
              " that makes no sense (" + said};
}

// At a port of its own a server speaks TLS or not. Who does answers what is not TLS at once, but
// not like a registry; who does not may wait for the rest of a request when TLS is begun, so that
// is tried last. Without a port these are two servers, and the one with TLS is preferred.
Result<http::Url> Requester::Probe(const Endpoint& endpoint, const CallOptions& call) {
  http::Url secure = SecureUrl(endpoint);
  http::Url plain = secure;
  plain.scheme = "http";
  plain.port = endpoint.port.value_or(80);
  const auto ask = [&](const http::Url& url) {
    return connections_.Send({.url = url, .target = "/v2/"}, {.stop_fd = call.stop_fd});
  };
  if (!endpoint.port) {
    auto answer = ask(secure);
    if (answer) return secure;
    if (WasStopped(answer.error())) return Failure(std::move(answer).error());
  }
  auto answer = ask(plain);
  if (answer) {
    const int status = (*answer)->status();
    if (status != 200 && status != 401 && !MayPass(status)) return secure;
    (*answer)->Discard();
    return plain;
  }
  const Error& why = answer.error();
  if (WasStopped(why) || why.code() == ErrorCode::kPermissionDenied) return Failure(why);
  return secure;
}

Result<http::Url> Requester::UrlOf(const Endpoint& endpoint, const CallOptions& call) {
  http::Url secure = SecureUrl(endpoint);
  if (!rules_.MayBeInsecure(endpoint.host, secure.port) &&
      !rules_.MayBeInsecure(endpoint.host, endpoint.port.value_or(80)))
    return secure;
  const std::string key = endpoint.Name();
  {
    const std::lock_guard lock(mutex_);
    const auto found = urls_.find(key);
    if (found != urls_.end()) return found->second;
  }
  http::Url url = TRY(Probe(endpoint, call));
  const std::lock_guard lock(mutex_);
  if (urls_.size() == kMaxUrls) urls_.clear();
  urls_.insert_or_assign(key, url);
  return url;
}

Result<http::Location> Requester::NextOf(const Asker& asker, const Answer& answer) const {
  const std::string who = Named(asker.endpoint);
  const auto wrong = [&](const std::string& what) {
    return Error(ErrorCode::kProtocol, Fault::kMachine, who + " redirects " + what);
  };
  const std::string reference = answer.Header("Location");
  if (reference.empty()) return Failure(wrong("without saying where to"));
  auto next = answer.where().Resolve(reference);
  if (!next) return Failure(wrong("to what is no address of a server"));
  if (next->url.scheme == "https") return *std::move(next);
  if (answer.where().url.scheme == "https")
    return Failure(wrong("from https to " + next->Origin() + ", which is not followed"));
  if (!rules_.MayBeInsecure(next->url.host, next->url.port)) {
    return Failure(wrong("to " + next->Origin() + ", which may not be asked without TLS")
                       .WithRemedy("an administrator can name it as insecure"));
  }
  return *std::move(next);
}

Result<std::unique_ptr<Answer>> Requester::Follow(const Asker& asker, const http::Location& start,
                                                  const Ask& ask, const std::string& field) {
  http::Location where = start;
  bool is_registry = true;  // once it was left nothing is shown any more, even when it comes back
  for (size_t hop = 0; hop <= kMaxRedirects; ++hop) {
    http::ClientRequest request{.method = ask.method, .headers = ask.headers, .body = ask.body};
    request.stop_fd = asker.call.stop_fd;
    if (ask.make_source) {
      request.source = TRY(ask.make_source());
      request.source_length = ask.source_length;
    }
    if (is_registry && !field.empty()) request.headers.Set("Authorization", field);
    auto answer = connections_.Send(where, request);
    request.headers.WipeAll("Authorization");
    if (!answer) return answer;
    if (!IsRedirect((*answer)->status())) {
      if (is_registry || (*answer)->status() != 401) return answer;
      return Failure(Error(ErrorCode::kPermissionDenied, Fault::kMachine,
                           Named(asker.endpoint) + " redirects to " + where.Origin() +
                               ", which wants credentials that are not for it"));
    }
    if (ask.method != "GET" && ask.method != "HEAD") {
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                           Named(asker.endpoint) + " redirects what is sent to it"));
    }
    http::Location next = TRY(NextOf(asker, **answer));
    (*answer)->Discard();
    is_registry = is_registry && http::SameOrigin(start.url, next.url);
    where = std::move(next);
  }
  return Failure(Error(
      ErrorCode::kProtocol, Fault::kMachine,
      Named(asker.endpoint) + " redirects more than " + std::to_string(kMaxRedirects) + " times"));
}

Result<std::unique_ptr<Answer>> Requester::SendOnce(const Asker& asker, const http::Location& start,
                                                    const Ask& ask) {
  for (bool has_answered = false;; has_answered = true) {
    std::string field = TRY(authorizer_.FieldFor(asker));
    auto answer = Follow(asker, start, ask, field);
    Wipe(field);
    if (!answer || (*answer)->status() != 401) return answer;
    if (has_answered) return Failure(authorizer_.Refused(asker, "refuses it"));
    const http::Headers refusal = (*answer)->headers();
    (*answer)->Discard();
    answer->reset();
    TRY(authorizer_.Answer(asker, refusal));
  }
}

Result<std::unique_ptr<Answer>> Requester::Send(const Endpoint& endpoint, const Ask& ask,
                                                const CallOptions& call) {
  const RegistrySettings& settings = rules_.settings();
  const http::Location start{.url = TRY(UrlOf(endpoint, call)), .target = ask.target};
  const Asker asker{.endpoint = endpoint,
                    .origin = start.Origin(),
                    .scope = "repository:" + ask.path + ":" + ask.actions,
                    .call = call};
  Millis backoff = settings.retry_delay;
  for (size_t attempt = 1;; ++attempt) {
    if (call.Stopped()) return Failure(http::StoppedError());
    auto answer = SendOnce(asker, start, ask);
    Millis pause = backoff;
    if (!answer) {
      const Error& why = answer.error();
      const bool may_pass =
          (why.code() == ErrorCode::kUnavailable || why.code() == ErrorCode::kTimeout) &&
          !WasStopped(why);
      if (!may_pass || attempt >= std::min(kConnectAttempts, settings.attempts)) return answer;
    } else {
      const int status = (*answer)->status();
      if (!MayPass(status)) return answer;
      const auto asked = RetryAfter((*answer)->headers());
      const std::string says =
          Named(endpoint) + " is not to be asked now (" + std::to_string(status) + ")";
      if (asked && *asked > settings.max_retry_after) {
        return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                             says + ": it says to ask again in " + FormatDuration(*asked)));
      }
      if (attempt >= settings.attempts) {
        return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                             says + ", and was asked " + std::to_string(attempt) + " times"));
      }
      pause = asked.value_or(backoff);
      (*answer)->Discard();
    }
    TRY(Pause(pause, call.stop_fd));
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
}

}  // namespace cay::templates::registry
