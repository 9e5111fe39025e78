#include "cli/remote/port_forward.h"

#include <algorithm>

#include "api/gate/host_policy.h"
#include "api/problem.h"
#include "api/rest/sandboxes/port_isolation.h"
#include "base/text.h"
#include "cli/client/target.h"
#include "http/client/connector.h"
#include "http/client/proxy.h"
#include "http/server/server.h"
#include "http/wire/target.h"

namespace cay::cli {
namespace {

constexpr Millis kConnectTimeout{10'000};
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kBadGateway = 502;

// What is about this connection, not about the server's: the page that asks has this address as its
// own.
const std::vector<std::string> kOfThisAddress = {"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode",
                                                 "Sec-Fetch-Dest", "Sec-Fetch-User"};

bool HasDotSegment(std::string path) {
  std::ranges::replace(path, '\\', '/');
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    if (segment == "." || segment == "..") return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

void Refuse(http::Exchange& exchange, const Error& error, int status) {
  static_cast<void>(exchange.Respond(
      api::ProblemResponse(error, {.request_id = exchange.request().id, .status = status})));
}

class PortForwardImpl final : public PortForward {
 public:
  PortForwardImpl(http::Url url, std::string api_key, const PortForwardSpec& spec)
      : url_(std::move(url)),
        api_key_(std::move(api_key)),
        prefix_(SandboxPath(spec.sandbox, "/ports/" + std::to_string(spec.port))) {}

  Result<void> Listen(uint16_t local);
  std::string address() const override { return server_->addresses().front().ToString(); }

 private:
  void Handle(http::Exchange& exchange) const;
  std::string Host() const;

  http::Url url_;
  std::string api_key_;
  std::string prefix_;
  std::shared_ptr<http::TlsContext> tls_;
  std::unique_ptr<http::Server> server_;  // last: its threads use the others
};

Result<void> PortForwardImpl::Listen(uint16_t local) {
  if (url_.scheme == "https") tls_ = TRY(http::TlsContext::ForClient(""));
  http::ServerOptions options;
  options.listen.push_back({.host = "127.0.0.1", .port = local, .unix_path = ""});
  auto started = http::Server::Start(std::move(options),
                                     [this](http::Exchange& exchange) { Handle(exchange); });
  if (!started) {
    return Failure(std::move(started).error().WithRemedy(
        "give another LOCAL port, or 0 for any that is free"));
  }
  server_ = *std::move(started);
  return {};
}

// The server's own name, whatever the client called this address.
std::string PortForwardImpl::Host() const {
  if (url_.scheme == "unix") return "localhost";
  const std::string text = url_.ToString();
  return text.substr(text.find("://") + 3);
}

// Null: it may go on.
const char* WhyRefused(const http::Request& request) {
  const api::GateOptions names;
  const auto field = request.headers.Find("Host");
  const auto host = field ? api::HostOf(*field) : std::nullopt;
  if (!host || !api::HostAllowed(names, *host, request.peer)) {
    return "this port answers only to localhost and 127.0.0.1";
  }
  if (api::JudgeOrigin(names, request, false) == api::OriginVerdict::kForeign) {
    return "web pages of another origin may not use this port";
  }
  return nullptr;
}

void PortForwardImpl::Handle(http::Exchange& exchange) const {
  http::Request& request = exchange.request();
  if (const char* why = WhyRefused(request)) {
    return Refuse(exchange, Error(ErrorCode::kPermissionDenied, Fault::kCaller, why), kForbidden);
  }
  auto target = ForwardTarget(prefix_, request.target);
  if (!target) return Refuse(exchange, target.error(), kBadRequest);
  auto upstream = http::Connect(url_, tls_.get(), kConnectTimeout);
  if (!upstream) return Refuse(exchange, upstream.error(), kBadGateway);
  request.headers.Remove("X-API-Key");
  if (!api_key_.empty()) request.headers.Set("X-API-Key", api_key_);
  // A browser sees it under this address, which is no other port's: cookies and all are the
  // application's.
  request.headers.Set(api::rest::kOwnOriginField, "yes");
  // An error has been answered, or cuts the answer.
  static_cast<void>(http::Proxy(
      exchange, *std::move(upstream),
      {.target = *std::move(target), .host = Host(), .prefix = "", .drop = kOfThisAddress}));
}

}  // namespace

Result<std::string> ForwardTarget(std::string_view prefix, std::string_view target) {
  if (!target.starts_with('/')) {
    return Failure(Error::Invalid("only paths are forwarded: " + std::string(target)));
  }
  const std::string_view path = target.substr(0, target.find('?'));
  if (HasDotSegment(TRY(http::PercentDecode(path)))) {
    return Failure(Error::Invalid("\".\" and \"..\" in a path are not forwarded"));
  }
  const bool has_prefix =
      path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  return has_prefix ? std::string(target) : std::string(prefix) + std::string(target);
}

Result<std::unique_ptr<PortForward>> PortForward::Start(const Connection& connection,
                                                        const PortForwardSpec& spec) {
  auto forward = std::make_unique<PortForwardImpl>(TRY(http::Url::Parse(connection.url)),
                                                   connection.api_key, spec);
  TRY(forward->Listen(spec.local));
  return forward;
}

}  // namespace cay::cli
