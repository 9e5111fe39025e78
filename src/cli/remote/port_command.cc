// cay port: a port inside a sandbox, on this machine's loopback.
#include <boost/json/object.hpp>

#include "base/units.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/remote/port_forward.h"
#include "cli/serve/serve_signals.h"

namespace cay::cli {
namespace {

Result<uint16_t> ParsePortNumber(std::string_view text, uint16_t least) {
  const auto port = ParseUnsigned(text, UINT16_MAX);
  if (!port || *port < least) {
    return Failure(Error::Invalid("not a port: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number from " + std::to_string(least) + " to 65535"));
  }
  return static_cast<uint16_t>(*port);
}

Result<int> PortMain(ApiClient& api, ServerOptions&, Positionals& rest) {
  PortForwardSpec spec;
  spec.port = TRY(ParsePortNumber(rest.values[1], 1));
  spec.local = rest.values.size() > 2 ? TRY(ParsePortNumber(rest.values[2], 0)) : spec.port;
  spec.sandbox = TRY(api.ResolveSandbox(rest.values[0]));
  // That it is there, and ours.
  TRY(api.Get(SandboxPath(spec.sandbox)));
  ServeSignals signals = TRY(ServeSignals::Block());
  const auto forward = TRY(PortForward::Start(api.connection(), spec));
  TRY(Print("http://" + forward->address() + "\n"));
  while (TRY(signals.Wait(ServeSignals::kForever)) == 0) {
  }
  return 0;
}

constexpr OptionSpec kOptions[] = {
    kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>,
    kContextOption<ServerOptions>,
};

}  // namespace

constinit const Command kPortCommand = {
    .name = "port",
    .summary = "Forward a local port to a port inside a sandbox: HTTP and WebSockets",
    .usage = "[OPTIONS] SANDBOX PORT [LOCAL]",
    .description =
        "Listens on 127.0.0.1:LOCAL (default: the same number; 0: any that is free), prints the "
        "address,\n"
        "and forwards until ^C. What listens inside may listen on 127.0.0.1.\n\n"
        "It goes through the server's API with your key, which the sandbox does not see. Whoever "
        "can\n"
        "connect to the local port needs no key for it. HTTP and WebSockets only: other protocols "
        "over\n"
        "TCP are not forwarded.\n",
    .options = kOptions,
    .examples = "cay port web 8000\ncay port web 8000 0   # prints the port it got\n",
    .min_arguments = 2,
    .max_arguments = 3,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, PortMain>,
};

}  // namespace cay::cli
