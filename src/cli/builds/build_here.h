// A build on this machine, for whoever runs this program: an engine, a network for its steps, what
// a person sees of it, and signals that stop it.
#pragma once

#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "build/stages/build.h"
#include "cli/builds/find_base.h"
#include "cli/frame/command.h"
#include "cli/network/network_options.h"
#include "cli/steps/build_printer.h"
#include "network/policy/policy.h"

namespace cay::cli {

struct HereBuild {
  build::BuildRequest request;
  Paths paths;
  network::Spec network{};  // of its steps
  Ways ways{};
  std::vector<std::string> authorities{};  // files (PEM) that steps trust, beside this machine's
  BaseOptions bases{};
  BuildProgress progress = BuildProgress::kAuto;
  bool has_cpus = false;  // otherwise a step has all
};

struct HereEnd {
  int exit_code = 0;      // not 0: a step failed, or a signal stopped it; it has been told
  bool stopped = false;   // by a signal
  build::BuildEnd end{};  // where the exit code is 0
};

// kNotSupported for an ordinary user, and the errors of build::Build. The relay of the network is
// forked: there are no other threads. Blocking.
Result<HereEnd> BuildHere(HereBuild build);

// kNotSupported unless this user may build.
Result<void> CheckMayBuild();

}  // namespace cay::cli
