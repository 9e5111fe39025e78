#include "api/gate/host_policy.h"

#include <algorithm>

#include "base/id.h"
#include "base/units.h"

namespace cay::api {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool Contains(const std::vector<std::string>& names, std::string_view host) {
  return std::ranges::any_of(names, [&](const std::string& name) { return Lower(name) == host; });
}

// "http://example.com:8888" -> "example.com:8888".
std::optional<std::string> AuthorityOfOrigin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    std::string authority = Lower(origin.substr(scheme.size()));
    // A browser leaves out the scheme's own port, in both fields.
    const std::string_view standard = scheme == "http://" ? ":80" : ":443";
    if (authority.ends_with(standard)) authority.resize(authority.size() - standard.size());
    return authority;
  }
  return std::nullopt;
}

bool SameAuthority(std::string_view origin, std::string_view host) {
  const auto from = AuthorityOfOrigin(origin);
  return from && AuthorityOfOrigin(std::string(origin.substr(0, origin.find("://"))) + "://" +
                                   std::string(host)) == from;
}

// "3000-ID" of "3000-ID.localhost": what stands before a domain of ports, digits and a hyphen and
// more.
std::optional<std::string_view> PortLabelOf(const GateOptions& options, std::string_view host) {
  const size_t dot = host.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view domain = host.substr(dot + 1);
  if (domain != "localhost" && !Contains(options.port_domains, domain)) return std::nullopt;
  const std::string_view label = host.substr(0, dot);
  const size_t digits = std::min(label.find_first_not_of("0123456789"), label.size());
  if (digits == 0 || digits == label.size() || label[digits] != '-') return std::nullopt;
  return label;
}

}  // namespace

std::optional<std::string> HostOf(std::string_view authority) {
  std::string text = Lower(authority);
  size_t end = 0;
  if (text.starts_with('[')) {
    const size_t closing = text.find(']');
    if (closing == std::string::npos) return std::nullopt;
    end = closing + 1;
    const bool address = std::ranges::all_of(text.substr(1, closing - 1), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
    });
    if (!address) return std::nullopt;
  } else {
    end = std::min(text.find(':'), text.size());
    if (!std::ranges::all_of(text.substr(0, end), IsHostCharacter)) return std::nullopt;
  }
  if (end < text.size()) {
    if (text[end] != ':' || !ParseUnsigned(text.substr(end + 1), UINT16_MAX)) return std::nullopt;
    text.resize(end);
  }
  // A name may end in the root's dot.
  if (text.ends_with('.')) text.pop_back();
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<PortHost> PortHostOf(const GateOptions& options, std::string_view host) {
  const auto label = PortLabelOf(options, host);
  if (!label) return std::nullopt;
  const size_t hyphen = label->find('-');
  const auto port = ParseUnsigned(label->substr(0, hyphen), UINT16_MAX);
  const auto id = SandboxId::Parse(label->substr(hyphen + 1));
  if (!port || *port == 0 || !id) return std::nullopt;
  return PortHost{.port = static_cast<uint16_t>(*port), .sandbox = id->text()};
}

bool IsWrongPortHost(const GateOptions& options, std::string_view host) {
  return PortLabelOf(options, host) && !PortHostOf(options, host) &&
         !Contains(options.allowed_hosts, host);
}

bool HostAllowed(const GateOptions& options, std::string_view host, const http::Peer& peer) {
  if (peer.unix_socket) return true;
  if (Contains(options.allowed_hosts, host) || PortHostOf(options, host)) return true;
  if (peer.loopback) return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  // Elsewhere keys are needed, which no page of another's has; names are asked for only when there
  // are any.
  return options.allowed_hosts.empty();
}

OriginVerdict JudgeOrigin(const GateOptions& options, const http::Request& request,
                          bool keys_needed) {
  const auto origin = request.headers.Find("Origin");
  const auto host = request.headers.Find("Host");
  if (!origin) {
    // Browsers send no Origin with a GET of an image or a script, but they say where it comes from
    // (Fetch Metadata). A neighbour under the same domain is as foreign: it may be a sandbox's
    // port.
    const auto site = request.headers.Find("Sec-Fetch-Site");
    if (!site || *site == "none" || *site == "same-origin") return OriginVerdict::kNone;
    const bool navigation = request.headers.Find("Sec-Fetch-Mode") == "navigate" &&
                            (request.method == "GET" || request.method == "HEAD");
    const auto name = host ? HostOf(*host) : std::nullopt;
    // A link to what runs in a sandbox may stand anywhere.
    if (navigation && name && PortHostOf(options, *name)) return OriginVerdict::kNone;
    return OriginVerdict::kForeign;
  }
  if (host && SameAuthority(*origin, *host)) return OriginVerdict::kSame;
  for (const std::string& allowed : options.allowed_origins) {
    if (allowed == *origin || (allowed == "*" && keys_needed)) return OriginVerdict::kAllowed;
  }
  return OriginVerdict::kForeign;
}

}  // namespace cay::api
