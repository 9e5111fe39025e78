// Connections that are intercepted: for secrets, or for what a package cache keeps.
#include <utility>

#include "network/policy/preset.h"
#include "network/relay/connection.h"
#include "network/transfer/reset.h"

namespace cay::network {

// A secret is never sent in the clear, and where nothing is intercepted its placeholder is looked
// for in what the first bytes show.
std::optional<FirstBytesVerdict> Connection::RefuseForSecrets(const FirstBytesVerdict& verdict,
                                                              std::string_view bytes) const {
  if (verdict.kind != FirstBytesVerdict::Kind::kPass || verdict.tls || bytes.empty())
    return std::nullopt;
  FirstBytesVerdict refused{.kind = FirstBytesVerdict::Kind::kRefuse,
                            .rule = rule_,
                            .seen_name = verdict.seen_name,
                            .http = destination_.port == kHttpPort};
  if (covered_) {
    refused.reason = "connections to " + destination_.name + ":" +
                     std::to_string(destination_.port) +
                     " are given a secret, and must begin with TLS";
    return refused;
  }
  const auto secrets = owner_.credentials();
  const auto found = secrets ? secrets->Found(bytes) : std::nullopt;
  if (!found) return std::nullopt;
  refused.reason = "the placeholder of the secret \"" + *found + "\" was sent in the clear";
  return refused;
}

// The policy allows it. What is sent with secrets is nobody else's, and neither kept nor answered.
void Connection::ConsiderCache() {
  if (parts_.cache == nullptr || covered_ || !MayBeKept(destination_.name, destination_.port))
    return;
  const bool in_the_clear = destination_.port == kHttpPort;
  if (!in_the_clear && parts_.interceptor == nullptr) return;
  std::string owner = owner_.CacheOwner(destination_.name);
  if (owner.empty()) return;
  cache_use_ = CacheUse{.directory = parts_.cache,
                        .place = {.owner = std::move(owner),
                                  .scheme = in_the_clear ? "http" : "https",
                                  .name = destination_.name,
                                  .port = destination_.port}};
}

// What is neither TLS nor, on port 80, a request is relayed as it is.
void Connection::UseCacheOrNot(const FirstBytesVerdict& verdict) {
  const bool in_the_clear = destination_.port == kHttpPort;
  if (in_the_clear ? !verdict.tls && !seen_name_.empty() : verdict.tls) return;
  cache_use_.reset();
  Resolve();
}

// The server is there already where there is no cache.
Result<void> Connection::BeginInterception() {
  if (!interception_) {
    const bool in_the_clear = cache_use_ && destination_.port == kHttpPort;
    if (!in_the_clear && parts_.interceptor == nullptr) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                           "there is no certificate authority for what is intercepted"));
    }
    auto secrets = owner_.credentials();
    if (!secrets) secrets = std::make_shared<const Credentials>();
    interception_ = TRY(Interception::Begin(
        in_the_clear ? nullptr : parts_.interceptor, covered_ ? covered_ : std::move(secrets),
        {.name = destination_.name, .port = destination_.port, .cache = cache_use_},
        client_->get()));
  }
  if (upstream_ && !std::exchange(server_is_there_, true))
    return interception_->ServerIs(upstream_->get());
  return {};
}

// A request that waits for one is answered, if there is nothing in a cache with what went wrong.
void Connection::NoServer(Verdict verdict, std::string reason) {
  if (!interception_) return Finish(verdict, std::move(reason), rule_, true);
  const bool denied = verdict == Verdict::kDenied;
  interception_->NoServer(
      denied ? 403 : 502, std::move(reason),
      denied ? HttpExchange::End::Kind::kRefused : HttpExchange::End::Kind::kFailed);
  Intercept();
}

// Nothing of it goes through pipes.
void Connection::Intercept() {
  if (const auto begun = BeginInterception(); !begun)
    return Finish(Verdict::kFailed, begun.error().message(), rule_, true);
  const uint64_t sent = interception_->sent();
  const uint64_t received = interception_->received();
  const uint64_t allowance = owner_.Allowance();
  paused_ = allowance == 0;
  if (!paused_) {
    interception_->Step(allowance);
    owner_.Spent(interception_->sent() - sent, interception_->received() - received);
    if (over_) return;
  }
  if (interception_->over()) return EndInterception();
  if (interception_->again() && !paused_) retry_.Set(Millis(0));
  const uint32_t client = paused_ ? 0 : interception_->client_events();
  const uint32_t upstream = paused_ ? 0 : interception_->upstream_events();
  if (!Await(*client_, *client_end_, client, client_events_)) return;
  if (upstream_) Await(*upstream_, *upstream_end_, upstream, upstream_events_);
  if (!over_ && interception_->wants_server() && !std::exchange(asked_for_server_, true)) Resolve();
}

void Connection::EndInterception() {
  using Kind = HttpExchange::End::Kind;
  const HttpExchange::End& end = interception_->end();
  const Verdict verdict = end.kind == Kind::kDone      ? Verdict::kAllowed
                          : end.kind == Kind::kRefused ? Verdict::kDenied
                                                       : Verdict::kFailed;
  if (cache_use_ && interception_->not_trusted()) owner_.PassCacheBy(destination_.name);
  DrainSocket(*client_);
  Finish(verdict, end.reason, rule_, false);
}

}  // namespace cay::network
