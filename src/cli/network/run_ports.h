// The published ports of one run: they listen from before its sandbox is made until it ends.
//
//   auto ports = TRY(RunPorts::Listen(engine, *network, id, {"8080:80"}));
//   … the command …
//   ports.reset();                       // nothing leads inside any more
//
// A connection is reset while nothing inside listens. Who runs a command here may listen on any
// address of the machine: a rule of theirs is enough.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/network/run_network.h"
#include "engine/engine.h"
#include "sandbox/network/doors.h"

namespace cay::cli {

// As typed, read once so that a wrong one, or one that meets another, is told with its option.
Result<void> AddPublish(std::vector<std::string>& rules, std::string_view value);

class RunPorts {
 public:
  // kAlreadyExists for a port that is taken: then nothing listens. Both outlive what is returned.
  static Result<std::unique_ptr<RunPorts>> Listen(engine::Engine& engine, RunNetwork& network,
                                                  const SandboxId& id,
                                                  const std::vector<std::string>& rules);

  // With the ports that were chosen.
  const std::vector<std::string>& rules() const { return rules_; }

 private:
  RunPorts(engine::Engine& engine, RunNetwork& network);

  sandbox::Doors doors_;
  std::vector<std::string> rules_;
};

}  // namespace cay::cli
