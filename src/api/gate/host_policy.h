// Under which names the server answers (Host), and to which pages (Origin).
//
// Any web page in a browser on this machine can make requests to loopback, and can make its own
// name resolve to it (DNS rebinding). Its name then stands in Host; its origin stands in Origin. So
// loopback answers only to names of its own, and of other origins only those that the administrator
// named are served.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/gate/gate_options.h"
#include "http/message.h"

namespace cay::api {

// "example.com:8888" without its port, in small letters; brackets of an IPv6 address stay. Nothing
// for what is not a host (RFC 9110, 7.2).
std::optional<std::string> HostOf(std::string_view authority);

// {port}-{id}.localhost, or of a configured domain.
struct PortHost {
  uint16_t port = 0;
  std::string sandbox;
};
std::optional<PortHost> PortHostOf(const GateOptions& options, std::string_view host);

// Whether it is a malformed name under such a domain: with a port that cannot be, or a sandbox's
// name in the place of its id.
bool IsWrongPortHost(const GateOptions& options, std::string_view host);

// Whether a request that names `host` (as HostOf has it) is for this server. Every request over a
// Unix socket is: it has no names.
bool HostAllowed(const GateOptions& options, std::string_view host, const http::Peer& peer);

enum class OriginVerdict : uint8_t {
  kNone,     // not from a browser's page
  kSame,     // a page that this server (or this port's host) gave itself
  kAllowed,  // another origin, which the administrator named
  kForeign,  // refused
};
// `keys_needed`: whether "*" may be taken at its word.
OriginVerdict JudgeOrigin(const GateOptions& options, const http::Request& request,
                          bool keys_needed);

}  // namespace cay::api
