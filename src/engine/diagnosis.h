// Diagnosis: what an engine enforces on this machine, and what would mend each gap.
//
// A default sandbox (no options, template `host`) is fully enforced when every protection is, but
// for those of networks, which it has none of.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cay::engine {

enum class ProtectionStatus : uint8_t {
  kEnforced,
  kPartly,       // something of it is missing, `why` says what
  kNotEnforced,  // the sandbox runs without it
  kBlocks,       // without it there is no sandbox at all
};
std::string_view StatusName(
    ProtectionStatus status);  // "enforced", "partly", "not_enforced", "blocks"

enum class ProtectionGroup : uint8_t {
  kLimits,
  kIsolation,
  kNetworks,  // ways in which the sandboxes that have a network have it: one that works is enough
};
std::string_view GroupName(ProtectionGroup group);  // "limits", "isolation", "networks"

struct Protection {
  ProtectionGroup group = ProtectionGroup::kLimits;
  std::string key;   // "memory": stable, for JSON
  std::string name;  // "memory limit": for people
  ProtectionStatus status = ProtectionStatus::kEnforced;
  std::string why;     // the reason of a gap; for kEnforced: how, where that is worth saying
  std::string remedy;  // one command (or what to do where none helps); only of a gap
};

// Something that the engine uses of the machine.
struct MachineFeature {
  std::string key;   // "user_namespace": stable, for JSON
  std::string name;  // "user namespaces": for people
  // Nothing: it was not tried, because it needs root or something else that is missing.
  std::optional<bool> works;
};

// What the engine found. For people and reports: what follows from it is in the protections.
struct Machine {
  std::string kernel;  // uname(2) release
  std::string architecture;
  uid_t uid = 0;
  std::string cgroup_layout;                // "v2", "v1" …
  std::vector<MachineFeature> controllers;  // of cgroups
  int landlock_abi = 0;                     // 0: none
  std::vector<MachineFeature> features;
  // What other engines could use.
  bool kvm = false;
  bool docker = false;
  std::vector<std::string> runtimes;  // programs found: "runc", "runsc", …
};

struct Diagnosis {
  Machine machine{};
  std::vector<Protection> protections;
  bool fully_enforced = false;
  bool can_run = false;  // nothing blocks

  const Protection* Find(std::string_view key) const;
};

}  // namespace cay::engine
