#include "sandbox/builds/build_types.h"

#include <array>

namespace cay::sandbox {

std::string_view BuildStateName(BuildState state) {
  constexpr std::array<std::string_view, kBuildStates> kNames = {
      "waiting", "building", "done", "failed", "cancelled", "interrupted"};
  return kNames[static_cast<size_t>(state)];
}

std::string DescribeFailure(const FailedStep& failed, const std::string& dockerfile) {
  std::string text = failed.step;
  text += failed.line == 0 ? " (ONBUILD of the image)"
                           : " (" + dockerfile + ":" + std::to_string(failed.line) + ")";
  if (failed.timed_out) return text + " took longer than a step may";
  text += failed.signal == 0 ? " ended with exit code " + std::to_string(failed.exit_code)
                             : " was ended by signal " + std::to_string(failed.signal);
  if (failed.oom_killed) text += ": its sandbox had no memory left";
  if (failed.disk_full) text += ": its sandbox had no disk left";
  return text;
}

}  // namespace cay::sandbox
