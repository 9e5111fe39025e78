// Verdict: what Cay can enforce with what a machine offers, and what would mend each gap. Pure.
//
//   Verdict verdict = Evaluate(TRY(Probe(state_dir)));
//   if (!verdict.fully_enforced) …
//
// A default sandbox (no options, template `host`) is fully enforced when every protection is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/native/probe/probe.h"

namespace cay::engine::native {

enum class Status : uint8_t {
  kEnforced,
  kPartly,       // something of it is missing, `why` says what
  kNotEnforced,  // the sandbox runs without it
  kBlocks,       // without it there is no sandbox at all
};
std::string_view StatusName(Status status);  // "enforced", "partly", "not_enforced", "blocks"

enum class ProtectionGroup : uint8_t { kLimits, kIsolation };

struct Protection {
  ProtectionGroup group = ProtectionGroup::kLimits;
  std::string key;   // "memory": stable, for JSON
  std::string name;  // "memory limit": for people
  Status status = Status::kEnforced;
  std::string why;     // of anything but kEnforced; for kEnforced how, where that is worth saying
  std::string remedy;  // one command (or what to do where none helps); only when not kEnforced
};

struct Verdict {
  std::vector<Protection> protections;
  bool fully_enforced = false;
  bool can_run = false;  // nothing blocks

  const Protection* Find(std::string_view key) const;
};

Verdict Evaluate(const Facts& facts);

}  // namespace cay::engine::native
