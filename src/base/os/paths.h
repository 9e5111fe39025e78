// Paths: where Cay keeps things.
//
//   state_dir   templates, sandboxes: survives a reboot   /var/lib/cay   ~/.local/state/cay
//   run_dir     what a reboot ends: uid ranges in use     /run/cay       $XDG_RUNTIME_DIR/cay
//
// CAY_STATE_DIR and CAY_RUN_DIR override both; a run directory of its own under an overridden state
// directory is used when only that is given. A user without a home falls back to /tmp/cay-UID,
// which must be a directory of that user with mode 0700.
#pragma once

#include <string>

#include "base/result.h"

namespace cay {

// root's.
inline constexpr const char* kDefaultStateDir = "/var/lib/cay";

struct Paths {
  std::string state_dir;
  std::string run_dir;

  std::string templates_dir() const { return state_dir + "/templates"; }
  std::string scratch_dir() const { return state_dir + "/scratch"; }      // empty filesystem images
  std::string inside_dir() const { return state_dir + "/inside"; }        // programs of sandboxes
  std::string volumes_dir() const { return state_dir + "/volumes"; }      // one directory each
  std::string sandboxes_dir() const { return state_dir + "/sandboxes"; }  // one directory each

  // From the environment and the effective user. `state_dir_override` (a flag) comes before all.
  // Makes both directories (0711 for root, 0700 otherwise); refuses one that another user owns or
  // can write.
  static Result<Paths> Resolve(const std::string& state_dir_override = {});
};

}  // namespace cay
