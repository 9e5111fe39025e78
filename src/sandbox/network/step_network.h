// The networks of a build's steps: each is a sandbox of its own, and served by the relay of all
// sandboxes, as its owner's.
//
//   auto network = TRY(MakeStepNetwork(networks, owner, asked, options));   // null: there is none
//   const build::BuildMachine machine{…, .network = network.get()};
//
// Within what holds for sandboxes (network_rules.h). What another sandbox would have of it, or it
// of others, is not a step's: networks of its owner's sandboxes, published ports, secrets.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "build/run/step.h"
#include "sandbox/network/network_keeper.h"
#include "sandbox/options.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// `networks` outlives it. kInvalidArgument for what steps cannot have, and as ResolveNetwork.
Result<std::unique_ptr<build::StepNetwork>> MakeStepNetwork(NetworkKeeper& networks,
                                                            const std::string& owner,
                                                            const NetworkSpec& asked,
                                                            const NetworkOptions& options);

}  // namespace cay::sandbox
