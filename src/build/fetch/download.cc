#include "build/fetch/download.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/text.h"
#include "http/client/client.h"
#include "http/client/http_date.h"
#include "http/client/location.h"
#include "http/transport/tls.h"

namespace cay::build {
namespace {

constexpr size_t kPiece = 256 * kKiB;
constexpr Millis kTellEvery{1000};

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Error StatusError(const http::Location& at, int status) {
  const std::string_view phrase = http::ReasonPhrase(status);
  std::string message = at.Origin() + " answered " + std::to_string(status);
  if (!phrase.empty()) message.append(" ").append(phrase);
  if (status == 404 || status == 410)
    return {ErrorCode::kNotFound, Fault::kCaller, std::move(message)};
  if (status == 401 || status == 403 || status == 407)
    return {ErrorCode::kPermissionDenied, Fault::kCaller, std::move(message)};
  if (status >= 400 && status < 500)
    return {ErrorCode::kInvalidArgument, Fault::kCaller, std::move(message)};
  return {ErrorCode::kUnavailable, Fault::kMachine, std::move(message)};
}

class Downloading {
 public:
  Downloading(const DownloadRequest& request, const Fd& into, const DownloadTold& told)
      : request_(request), into_(into), told_(told) {}

  Result<Downloaded> Do() {
    const http::Location first = TRY(http::Location::Parse(request_.url));
    http::Location at = first;
    for (size_t redirects = 0;; ++redirects) {
      const bool is_own = http::SameOrigin(first.url, at.url);
      client_ = http::Client::OpenWith(at.url, request_.connect_timeout, TRY(TlsFor(at)));
      auto response = client_->Send(RequestFor(at, is_own));
      if (!response) return Failure(NamedBy(std::move(response).error(), at));
      if (!IsRedirect((*response)->status())) return Take(at, **response);
      if (redirects == kMaxRedirects) {
        return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                             at.Origin() + " redirects, after " + std::to_string(kMaxRedirects) +
                                 " redirects, which is the maximum"));
      }
      at = TRY(Next(at, **response));
    }
  }

 private:
  static Error NamedBy(Error error, const http::Location& at) {
    if (error.message().contains(at.url.host)) return error;
    return std::move(error).WithContext(at.Origin());
  }

  Result<std::shared_ptr<http::TlsContext>> TlsFor(const http::Location& at) {
    if (at.url.scheme != "https") return std::shared_ptr<http::TlsContext>();
    if (tls_) return tls_;
    if (request_.authorities.empty()) {
      tls_ = TRY(http::TlsContext::ForClientAlso({}));
    } else {
      tls_ = TRY(http::TlsContext::ForClientOf(TRY(ReadFile(request_.authorities, 4 * kMiB))));
    }
    return tls_;
  }

  http::ClientRequest RequestFor(const http::Location& at, bool is_own) const {
    http::ClientRequest request{.target = at.target};
    request.headers.Set("Host", at.HostField());
    request.headers.Set("User-Agent", "cay");
    request.headers.Set("Accept", "*/*");
    request.headers.Set("Accept-Encoding", "identity");
    request.headers.Set("Connection", "close");
    if (is_own && !request_.authorization.empty())
      request.headers.Set("Authorization", request_.authorization);
    request.timeout = request_.head_timeout;
    request.body_patience =
        http::BodyPatience{.stall = request_.stall,
                           .min_bytes_per_second = request_.min_bytes_per_second,
                           .window = request_.window};
    return request;
  }

  Result<http::Location> Next(const http::Location& at, http::ClientResponse& response) const {
    const auto field = response.headers().Find("Location");
    if (!field) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                           at.Origin() + " answered " + std::to_string(response.status()) +
                               " without saying where to"));
    }
    auto next = at.Resolve(Trim(*field));
    if (!next) {
      return Failure(
          Error(ErrorCode::kProtocol, Fault::kMachine,
                at.Origin() + " redirects to what is not asked: " + next.error().message()));
    }
    if (at.url.scheme == "https" && next->url.scheme == "http" && !request_.is_pinned) {
      return Failure(Error(ErrorCode::kProtocol, Fault::kCaller,
                           at.Origin() + " redirects to " + next->Origin() +
                               ", where anybody on the way could change what is fetched")
                         .WithRemedy("say what it has to be by --checksum=sha256:…"));
    }
    if (told_.note && !http::SameOrigin(at.url, next->url))
      told_.note("redirected to " + next->Origin());
    return next;
  }

  Failure TooLarge(const http::Location& at) const {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "what " + at.Origin() + " sends is larger than " +
                             HumanBytes(request_.max_bytes) + ", which is the maximum"));
  }

  Result<Downloaded> Take(const http::Location& at, http::ClientResponse& response) {
    if (response.status() != 200) return Failure(StatusError(at, response.status()));
    Downloaded done;
    if (const auto field = response.headers().Find("Last-Modified")) {
      if (const auto modified = http::ParseHttpDate(Trim(*field)))
        done.modified_unix = modified->time_since_epoch().count();
    }
    DownloadProgress progress;
    if (const auto field = response.headers().Find("Content-Length")) {
      if (const auto length = ParseUnsigned(Trim(*field))) progress.of = *length;
    }
    if (progress.of.value_or(0) > request_.max_bytes) return TooLarge(at);
    std::vector<char> piece(kPiece);
    SteadyTime told = SteadyNow();
    for (;;) {
      const auto got = response.Read(piece);
      if (!got) {
        return Failure(
            Error(got.error()).WithContext(at.Origin() + ", after " + HumanBytes(progress.bytes)));
      }
      if (*got == 0) break;
      if (*got > request_.max_bytes - progress.bytes) return TooLarge(at);
      TRY(WriteAll(into_.get(), {piece.data(), *got}));
      progress.bytes += *got;
      if (!told_.progress || SteadyNow() - told < kTellEvery) continue;
      told = SteadyNow();
      told_.progress(progress);
    }
    done.bytes = progress.bytes;
    return done;
  }

  const DownloadRequest& request_;
  const Fd& into_;
  const DownloadTold& told_;
  std::shared_ptr<http::TlsContext> tls_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace

Result<Downloaded> Download(const DownloadRequest& request, const Fd& into,
                            const DownloadTold& told) {
  return Downloading(request, into, told).Do();
}

}  // namespace cay::build
