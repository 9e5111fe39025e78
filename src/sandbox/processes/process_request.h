// From what a client asks for to what the guest is told: defaults, maxima, the working directory.
#pragma once

#include <optional>

#include "base/result.h"
#include "sandbox/lifecycle/lease.h"
#include "sandbox/options.h"
#include "sandbox/processes/process_types.h"

namespace cay::sandbox {

// kInvalidArgument, kLimitTooHigh: nothing is clamped.
Result<protocol::StartRequest> BuildStartRequest(const Lease& lease, const ProcessSpec& spec,
                                                 const KeeperOptions& options);

// What it is: its arguments, or a line for the shell as the guest gets it. kInvalidArgument for
// neither and for both.
Result<std::vector<std::string>> CommandOf(const ProcessSpec& spec);

// How long it may run; nothing: for ever.
Result<std::optional<Millis>> TimeoutOf(const ProcessSpec& spec, const KeeperOptions& options);

inline constexpr Millis kMaxKillGrace{300'000};
Result<Millis> KillGraceOf(const ProcessSpec& spec, const KeeperOptions& options);

// Of each process of it; 0: any.
Result<Millis> CpuTimeOf(const Lease& lease, const ProcessSpec& spec,
                         const ManagerOptions& options);

// A command as it is remembered: its first arguments, 4 KiB of it at most. What was left out is
// said by "…" at that place.
std::vector<std::string> RememberedCommand(const std::vector<std::string>& argv);

}  // namespace cay::sandbox
