// Visits: files of a stopped sandbox. While requests read or write them it has a guest
// (Engine::Visit), which all of them share, and which ends with the last of them. Nobody else sees
// it: the sandbox is stopped, no event says anything, no process is started in it. Its memory limit
// is admitted for that long.
//
//   const bool visits = TRY(visits.Enter(sandbox));     // false: it runs, and was entered as one that does
//   …
//   if (visits) visits.Leave(sandbox);
//
// A start makes the guest the sandbox's own; a stop or a destroy takes it away from requests that
// still use it.
#pragma once

#include "sandbox/lifecycle/core.h"

namespace cay::sandbox {

class Visits {
 public:
  explicit Visits(Core& core) : core_(core) {}

  // kIllegalState unless it runs or is stopped.
  Result<bool> Enter(Sandbox& sandbox);
  void Leave(Sandbox& sandbox);

 private:
  Result<void> Begin(Sandbox& sandbox);
  void End(Sandbox& sandbox);

  Core& core_;
};

}  // namespace cay::sandbox
