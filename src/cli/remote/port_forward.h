// PortForward: a port of this machine's loopback that is a port inside a sandbox, over the server's
// API: HTTP and WebSockets. The API key is added on the way: a client that connects here needs
// none, and reaches that one port and nothing else of the server.
//
//   auto forward = TRY(PortForward::Start(api.connection(), {.sandbox = id, .port = 8000, .local = 0}));
//   forward->address()   // "127.0.0.1:40123"; forwards until it is destroyed
//
// A page of another origin is refused, as by the server itself (api/gate/host_policy.h). Threads of
// its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/client/contexts.h"

namespace cay::cli {

struct PortForwardSpec {
  std::string sandbox;  // an id
  uint16_t port = 0;    // inside
  uint16_t local = 0;   // 0: any
};

// The API's target for what was asked for here. A target that has the prefix already is taken as it
// is: an application that heeds X-Forwarded-Prefix makes such links. kInvalidArgument for what is
// no path, and for "." and ".." in it, encoded or not: a proxy before the server could take them
// for a way out of the prefix. Pure.
Result<std::string> ForwardTarget(std::string_view prefix, std::string_view target);

class PortForward {
 public:
  static Result<std::unique_ptr<PortForward>> Start(const Connection& connection,
                                                    const PortForwardSpec& spec);
  virtual ~PortForward() = default;
  virtual std::string address() const = 0;
};

}  // namespace cay::cli
