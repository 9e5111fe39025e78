#include "sandbox/rules/engine_rules.h"

#include <string>

namespace cay::sandbox {
namespace {

Error Cannot(const EngineFacts& engine, const std::string& what, std::string remedy) {
  return Error(ErrorCode::kNotSupported, Fault::kCaller,
               "the engine of this server, " + engine.description.name + ", cannot " + what)
      .WithRemedy(std::move(remedy));
}

}  // namespace

EngineFacts FactsOf(const engine::Engine& engine) {
  return {.description = engine.Describe(), .can = engine.capabilities()};
}

Result<void> CheckCan(Act act, const EngineFacts& engine) {
  const engine::Capabilities& can = engine.can;
  switch (act) {
    case Act::kPause:
    case Act::kResume:
      if (can.pause) return {};
      return Failure(Cannot(engine, "pause sandboxes", "stop it instead: its files stay"));
    case Act::kReset:
      if (can.reset) return {};
      return Failure(Cannot(engine, "reset sandboxes", "destroy it, and create another"));
    case Act::kSnapshot:
      if (can.snapshot) return {};
      return Failure(Cannot(engine, "take snapshots", "download the files instead"));
    case Act::kLimit:
      if (can.update_limits) return {};
      return Failure(Cannot(engine, "change the limits of a sandbox", "create another with them"));
    case Act::kFiles:
      if (can.visit) return {};
      return Failure(Cannot(engine, "give the files of a stopped sandbox", "start it first"));
    case Act::kUse:
    case Act::kStart:
    case Act::kStop:
    case Act::kChange:
    case Act::kMeasure:
    case Act::kDestroy:
      return {};
  }
  return {};
}

Result<void> CheckCan(const SandboxSpec& spec, const EngineFacts& engine) {
  if (!engine.can.host_mounts && !(spec.mounts.empty() && spec.project.empty())) {
    return Failure(Cannot(engine, "show a sandbox files of this machine",
                          "leave mounts and project out, and copy what is needed into it"));
  }
  if (!engine.can.network_policy && !spec.network.none()) {
    return Failure(Cannot(engine, "give a sandbox a network",
                          "leave \"network\" out: ports inside are reached through the server"));
  }
  if (!engine.can.root && spec.privileges == Privileges::kRoot) {
    return Failure(
        Cannot(engine, "give a sandbox's root privileges",
               "leave \"privileges\" out, or have an administrator run the server as root"));
  }
  if (!engine.can.volumes && !spec.volumes.empty()) {
    return Failure(
        Cannot(engine, "give a sandbox volumes",
               "leave \"volumes\" out, or have an administrator run the server as root"));
  }
  if (!engine.can.pause && spec.on_timeout == OnTimeout::kPause) {
    return Failure(
        Cannot(engine, "pause sandboxes", "ask for on_timeout \"stop\": its files stay"));
  }
  return {};
}

}  // namespace cay::sandbox
