// SandboxRecord: what is promised about one sandbox.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// What the store keeps of a sandbox. Not part of it: how many processes run, and when it will be
// idle.
struct SandboxRecord {
  explicit SandboxRecord(SandboxId id) : view{.id = std::move(id)} {}
  SandboxView view;
  std::vector<std::string> template_env;
  // Those of template_env that the template's image sets itself, where otherwise they follow the
  // user (protocol::kAccountVariables).
  std::vector<std::string> own_variables;
  std::string user;     // of its processes: the spec's, or the template's
  std::string workdir;  // likewise
  std::string trust;    // which certificates it was given (SecretKeeper::Install); empty: none
};

// The parts that change by use: for the store.
struct Activity {
  int64_t last_activity_ms;
  uint64_t executions;
};

}  // namespace cay::sandbox
