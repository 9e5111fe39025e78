// Spec rules: what may be asked for, and what is filled in. Nothing is clamped: what is over a
// maximum is kLimitTooHigh, naming the maximum and its key in the configuration.
//
// Mounts are looked at on disk (mount_roots.h); the rest is pure. What the engine checks itself
// (minima, hostnames, targets of mounts) is left to it.
#pragma once

#include "base/result.h"
#include "sandbox/options.h"
#include "sandbox/types.h"

namespace cay::sandbox {

inline constexpr size_t kMaxNameBytes = 128;
inline constexpr size_t kMaxMetadata = 64;
inline constexpr size_t kMaxMetadataKeyBytes = 128;
inline constexpr size_t kMaxMetadataValueBytes = 4096;
inline constexpr size_t kMaxEnv = 1024;
inline constexpr size_t kMaxEnvBytes = 256 * 1024;  // of all names and values
inline constexpr size_t kMaxIdempotencyKeyBytes = 255;

struct ResolvedSpec {
  SandboxSpec spec;  // everything filled in; mounts by their real paths
  engine::Limits limits;
  engine::LimitSet required;  // those that the caller named
};

Result<ResolvedSpec> ResolveSpec(const SandboxSpec& asked, const ManagerOptions& options);

// Changes `spec` and `limits` as asked, if all of it may be. Times are checked, not applied.
struct ResolvedChange {
  SandboxSpec spec;
  engine::Limits limits;
  bool limits_changed = false;
};
Result<ResolvedChange> ResolveChange(const SandboxSpec& spec, const engine::Limits& limits,
                                     const SandboxChange& change, const ManagerOptions& options);

// The processor time that each process may have, whole seconds; 0: any, where there is no maximum.
Result<void> CheckCpuTime(Millis cpu_time, const ManagerOptions& options);

// The lifetime that is left may be `life` from now.
Result<void> CheckLifetime(Millis life, const ManagerOptions& options);

Result<void> CheckSandboxName(std::string_view name);
// [A-Za-z0-9][A-Za-z0-9._@+-]{0,63}: never a slash, so that OWNER/NAME has one meaning
// (registry.h).
Result<void> CheckOwnerName(std::string_view owner);
Result<void> CheckIdempotencyKey(std::string_view key);

}  // namespace cay::sandbox
