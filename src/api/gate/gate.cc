#include "api/gate/gate.h"
#include "base/clock.h"

#include <algorithm>
#include <chrono>

namespace cay::api {
namespace {

uint32_t SecondsUp(Millis wait) {
  return static_cast<uint32_t>(std::max<int64_t>(1, (wait.count() + 999) / 1000));
}

// X-API-Key comes first, so that an application behind a port can have Authorization for itself.
std::optional<std::string_view> TokenOf(const http::Headers& headers) {
  if (const auto key = headers.Find("X-API-Key")) return key;
  const auto authorization = headers.Find("Authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (!authorization || authorization->size() <= kBearer.size()) return std::nullopt;
  const bool bearer =
      std::equal(kBearer.begin(), kBearer.end(), authorization->begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
      });
  if (!bearer) return std::nullopt;
  return authorization->substr(kBearer.size());
}

constexpr size_t kMaxShownHost = 128;
constexpr std::string_view kCorsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
constexpr std::string_view kCorsRequestHeaders =
    "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, Range, If-None-Match, "
    "X-Request-Id";
constexpr std::string_view kCorsResponseHeaders =
    "Location, X-Request-Id, Retry-After, ETag, X-File-Mode, Content-Range";

}  // namespace

Gate::Gate(GateOptions options, KeyRing& keys) : options_(std::move(options)), keys_(keys) {}

void Gate::Reconfigure(GateOptions options) { options_.Set(std::move(options)); }

std::optional<Refusal> Gate::CheckNames(const http::Request& request) {
  const auto options = options_.Get();
  const auto field = request.headers.Find("Host");
  const auto host = field ? HostOf(*field) : std::nullopt;
  if (host && IsWrongPortHost(*options, *host)) {
    return Refusal{.error = Error(ErrorCode::kNotFound, Fault::kCaller,
                                  "the host name " + host->substr(0, kMaxShownHost) +
                                      " is not that of a sandbox's port")
                                .WithRemedy("write {port}-{id}: a port from 1 to 65535, and the "
                                            "sandbox's id, not its name"),
                   .status = 404};
  }
  if (!request.peer.unix_socket && (!host || !HostAllowed(*options, *host, request.peer))) {
    return Refusal{
        .error = Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "this server does not answer to the host name \"" +
                           host.value_or("").substr(0, kMaxShownHost) + "\"")
                     .WithRemedy("use localhost or 127.0.0.1, or add the name to hosts.allowed"),
        .status = 421};
  }
  if (JudgeOrigin(*options, request, keys_.needed()) == OriginVerdict::kForeign) {
    return Refusal{.error = Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                                  "web pages of this origin may not use this server")
                                .WithRemedy("add the origin to cors.allowed_origins"),
                   .status = 403};
  }
  return std::nullopt;
}

std::optional<http::Response> Gate::AnswerPreflight(const http::Request& request) {
  if (request.method != "OPTIONS" || !request.headers.Find("Access-Control-Request-Method")) {
    return std::nullopt;
  }
  http::Response response{.status = 204, .headers = CorsHeaders(request), .body = {}};
  if (response.headers.fields().empty()) return std::nullopt;
  response.headers.Set("Access-Control-Allow-Methods", std::string(kCorsMethods));
  response.headers.Set("Access-Control-Allow-Headers", std::string(kCorsRequestHeaders));
  response.headers.Set("Access-Control-Max-Age", "600");
  return response;
}

http::Headers Gate::CorsHeaders(const http::Request& request) {
  const auto options = options_.Get();
  const auto origin = request.headers.Find("Origin");
  if (!origin || JudgeOrigin(*options, request, keys_.needed()) != OriginVerdict::kAllowed)
    return {};
  return {{"Access-Control-Allow-Origin", std::string(*origin)},
          {"Access-Control-Expose-Headers", std::string(kCorsResponseHeaders)},
          {"Vary", "Origin"}};
}

Refusal Gate::Failed(const http::Request& request, Error error) {
  const auto per_minute = static_cast<double>(options_.Get()->auth_failures_per_minute);
  // A right key always passes, whoever else fails from that address: what is bounded is the noise,
  // and the guessing, which 200 random bits make hopeless anyway.
  const auto wait = failures_.Take(
      request.peer.address, {.per_second = per_minute / 60, .burst = std::max(1.0, per_minute)},
      SteadyMs());
  if (wait) {
    return {.error = Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                           "too many requests without a valid API key came from this address"),
            .status = 429,
            .retry_after = SecondsUp(*wait),
            .flood = true};
  }
  return {.error = std::move(error),
          .status = 401,
          .headers = {{"WWW-Authenticate", "Bearer realm=\"cay\""}}};
}

std::expected<Identity, Refusal> Gate::Identify(const http::Request& request) {
  const auto token = TokenOf(request.headers);
  if (!token) {
    return std::unexpected(
        Failed(request, Error(ErrorCode::kPermissionDenied, Fault::kCaller, "an API key is needed")
                            .WithRemedy(keys_.HowToGetIn())));
  }
  auto identity = keys_.Authenticate(*token);
  if (identity) return std::move(*identity);
  if (identity.error().fault() == Fault::kMachine) {
    return std::unexpected(Refusal{.error = std::move(identity).error(), .status = 500});
  }
  return std::unexpected(Failed(request, std::move(identity).error()));
}

std::optional<Refusal> Gate::CheckRate(const Identity& identity) {
  const auto options = options_.Get();
  const uint64_t per_second = identity.requests_per_second != 0 ? identity.requests_per_second
                                                                : options->requests_per_second;
  if (per_second == 0) return std::nullopt;
  const bool own = identity.requests_per_second != 0 || options->burst == 0;
  const auto burst = static_cast<double>(own ? 2 * per_second : options->burst);
  const auto wait = requests_.Take(
      identity.key_id, {.per_second = static_cast<double>(per_second), .burst = burst}, SteadyMs());
  if (!wait) return std::nullopt;
  return Refusal{.error = Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                                "this API key is limited to " + std::to_string(per_second) +
                                    " requests a second"),
                 .status = 429,
                 .retry_after = SecondsUp(*wait),
                 .flood = true};
}

std::expected<Admission, Refusal> Gate::Admit(const http::Request& request, Scope wanted) {
  if (wanted == Scope::kPublic) {
    return Admission{.caller = {.owner = ""}, .scope = Scope::kPublic};
  }
  if (!keys_.needed() && (request.peer.loopback || request.peer.unix_socket)) {
    return Admission{.caller = {.owner = sandbox::kOwnerWithoutKey, .admin = true},
                     .scope = Scope::kAdmin};
  }
  auto identity = Identify(request);
  if (!identity) return std::unexpected(std::move(identity).error());
  const bool only_reads = request.method == "GET" || request.method == "HEAD";
  if (identity->scope < wanted || (identity->scope == Scope::kRead && !only_reads)) {
    const Scope needed = std::max(wanted, only_reads ? Scope::kRead : Scope::kUse);
    return std::unexpected(Refusal{
        .error = Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "this API key's scope is " + std::string(ScopeName(identity->scope)) +
                           ", and this request needs " + std::string(ScopeName(needed))),
        .status = 403});
  }
  if (auto over = CheckRate(*identity)) return std::unexpected(std::move(*over));
  return Admission{.caller = {.owner = identity->owner,
                              .admin = identity->scope == Scope::kAdmin,
                              .max_sandboxes = static_cast<size_t>(identity->max_sandboxes)},
                   .scope = identity->scope,
                   .key_id = identity->key_id};
}

Result<void> Gate::StillAdmitted(const Admission& admission) {
  if (admission.scope == Scope::kPublic) return {};
  if (!admission.key_id.empty()) return keys_.StillWorks(admission.key_id);
  if (!keys_.needed()) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "an API key was created meanwhile: every request needs one now")
                     .WithRemedy(Remedy(Action::kAuthenticate)));
}

Scope Gate::Wanted(const Route& route) const {
  return route.name == "metrics" && options_.Get()->metrics_public ? Scope::kPublic : route.scope;
}

std::optional<PortHost> Gate::PortOf(const http::Request& request) const {
  const auto field = request.headers.Find("Host");
  const auto host = field ? HostOf(*field) : std::nullopt;
  return host ? PortHostOf(*options_.Get(), *host) : std::nullopt;
}

}  // namespace cay::api
