#include "network/relay/first_bytes.h"

#include <algorithm>

#include "json/json_writer.h"
#include "network/policy/rule.h"
#include "network/wire/client_hello.h"
#include "network/wire/http_head.h"

namespace cay::network {
namespace {

using Kind = FirstBytesVerdict::Kind;
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2";

FirstBytesVerdict Refuse(std::string reason, std::string rule = {}) {
  return {.kind = Kind::kRefuse, .reason = std::move(reason), .rule = std::move(rule)};
}

// What is quoted of an attacker's bytes: printable, and not much.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, 100)) quoted += c > ' ' && c < 0x7f ? c : '?';
  return quoted + (text.size() > 100 ? "…\"" : "\"");
}

bool Holds(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// `what`: "the TLS hello asks for", "the request is for".
FirstBytesVerdict CompareByAddress(const Policy& policy, const Destination& destination,
                                   std::string_view what, const std::optional<std::string>& name) {
  if (!name) return {.kind = Kind::kPass};
  const Decision decision = policy.OfConnection(*name, destination.port);
  if (!decision.allowed && decision.why == Why::kRule) {
    return {.kind = Kind::kRefuse,
            .reason = std::string(what) + " " + *name + ", which a rule denies",
            .rule = decision.rule,
            .seen_name = *name};
  }
  return {.kind = Kind::kPass, .seen_name = *name};
}

FirstBytesVerdict Compare(const Policy& policy, const Destination& destination,
                          std::string_view what, std::string_view seen) {
  const auto name = NormalName(seen);
  if (destination.name.empty()) return CompareByAddress(policy, destination, what, name);
  if (name && (*name == destination.name || Holds(destination.also, *name)))
    return {.kind = Kind::kPass, .seen_name = *name};
  if (destination.by_address) return CompareByAddress(policy, destination, what, name);
  return Refuse("the connection was made to " + destination.name + ", and " + std::string(what) +
                " " + (seen.empty() ? "no name" : Quoted(seen)));
}

FirstBytesVerdict JudgeRequest(const Policy& policy, const Destination& destination,
                               std::string_view bytes, bool ended) {
  RequestHead head;
  FirstBytesVerdict verdict;
  switch (ReadRequestHead(bytes, head)) {
    case Peek::kMore:
      if (!ended) return {};
      verdict = Refuse("the connection ended within the head of a request");
      break;
    case Peek::kOther:
      if (!bytes.starts_with(kHttp2Preface)) return {.kind = Kind::kPass};
      verdict = Refuse("HTTP/2 in the clear does not say which host it is for");
      return verdict;
    case Peek::kBad:
      verdict = Refuse("the head of the request is not as HTTP has it");
      break;
    case Peek::kFound:
      verdict = Compare(policy, destination, "the request is for", head.host);
  }
  verdict.http = true;
  return verdict;
}

}  // namespace

FirstBytesVerdict JudgeFirstBytes(const Policy& policy, const Destination& destination,
                                  std::string_view bytes, bool ended) {
  if (bytes.empty()) return {.kind = ended ? Kind::kPass : Kind::kMore};
  ClientHello hello;
  switch (ReadClientHello(bytes, hello)) {
    case Peek::kMore:
      if (!ended) return {};
      return Refuse("the connection ended within a TLS hello");
    case Peek::kBad:
      return Refuse("the TLS hello cannot be read");
    case Peek::kFound: {
      FirstBytesVerdict verdict =
          Compare(policy, destination, "the TLS hello asks for", hello.name);
      verdict.tls = verdict.kind == Kind::kPass;
      return verdict;
    }
    case Peek::kOther:
      break;
  }
  if (destination.port != kHttpPort) return {.kind = Kind::kPass};
  return JudgeRequest(policy, destination, bytes, ended);
}

std::string DeniedResponse(const std::string& reason) {
  JsonWriter json;
  json.BeginObject()
      .Member("type", "about:blank")
      .Member("title", "Forbidden")
      .Member("status", 403)
      .Member("detail", "the sandbox's network policy does not allow this: " + reason)
      .Member("code", "permission_denied")
      .EndObject();
  const std::string body = std::move(json).Take();
  return "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace cay::network
