#include "cli/network/run_ports.h"

#include <utility>

#include "cli/frame/console.h"
#include "cli/frame/signal_scope.h"

namespace cay::cli {

Result<void> AddPublish(std::vector<std::string>& rules, std::string_view value) {
  const auto rule = TRY(network::PublishRule::Parse(value));
  for (const std::string& other : rules) {
    const auto before = network::PublishRule::Parse(other);
    if (before && network::Meet(*before, rule)) {
      return Failure(Error::Invalid("the port " + std::to_string(rule.host_port) + " of " +
                                    rule.address.Text() + " is published twice"));
    }
  }
  rules.emplace_back(value);
  return {};
}

RunPorts::RunPorts(engine::Engine& engine, RunNetwork& network)
    : doors_([&engine](const SandboxId& id,
                       uint16_t port) { return sandbox::AskForPort(engine, id, port); },
             {.pass =
                  [&network](const sandbox::Publisher& publisher, const sandbox::Visitor& visitor,
                             const Fd& outside, const Fd& inside) {
                    return network.PassOn(sandbox::OrderOf(publisher, visitor), outside, inside);
                  },
              // A run that ends tells of its own connections alone.
              .refused = [](const sandbox::Publisher& /*publisher*/,
                            const sandbox::Visitor& /*visitor*/, const Error& /*why*/) {},
              // They are listened on, or the run does not begin.
              .told =
                  [](const sandbox::Publisher& /*publisher*/,
                     const sandbox::PublishedStanding& standing) {
                    Note("the port " + standing.rule + " is not published: " + standing.problem);
                  }}) {}

Result<std::unique_ptr<RunPorts>> RunPorts::Listen(engine::Engine& engine, RunNetwork& network,
                                                   const SandboxId& id,
                                                   const std::vector<std::string>& rules) {
  std::unique_ptr<RunPorts> ports(new RunPorts(engine, network));
  std::vector<std::string> addresses;
  for (const std::string& text : rules)
    addresses.push_back(TRY(network::PublishRule::Parse(text)).address.Text());
  ports->doors_.Permit(std::move(addresses));
  // The thread that this starts must not take the signals that are the command's.
  const SignalScope blocked(true);
  ports->rules_ = TRY(ports->doors_.Publish({.sandbox = id}, rules));
  return ports;
}

}  // namespace cay::cli
