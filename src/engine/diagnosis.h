// Diagnosis: what an engine enforces on this machine, and what would mend each gap.
//
// A default sandbox (no options, template `host`) is fully enforced when every protection is.
#pragma once

#include <cstdint>
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

enum class ProtectionGroup : uint8_t { kLimits, kIsolation };

struct Protection {
  ProtectionGroup group = ProtectionGroup::kLimits;
  std::string key;   // "memory": stable, for JSON
  std::string name;  // "memory limit": for people
  ProtectionStatus status = ProtectionStatus::kEnforced;
  std::string why;     // the reason of a gap; for kEnforced: how, where that is worth saying
  std::string remedy;  // one command (or what to do where none helps); only of a gap
};

struct Diagnosis {
  std::vector<Protection> protections;
  bool fully_enforced = false;
  bool can_run = false;  // nothing blocks

  const Protection* Find(std::string_view key) const;
};

}  // namespace cay::engine
