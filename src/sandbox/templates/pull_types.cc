#include "sandbox/templates/pull_types.h"

#include <array>

namespace cay::sandbox {

std::string_view PullStateName(PullState state) {
  constexpr std::array<std::string_view, kPullStates> kNames = {
      "waiting", "pulling", "done", "failed", "cancelled", "interrupted"};
  return kNames[static_cast<size_t>(state)];
}

std::string HowFar(const PullView& pull) {
  if (pull.state == PullState::kWaiting) return "waiting for its turn";
  if (pull.unpacked > 0 || (pull.size > 0 && pull.fetched >= pull.size)) return "being unpacked";
  if (pull.size == 0) return "0 %";
  // In this order it does not overflow: no image has that many bytes.
  return std::to_string(pull.fetched * 100 / pull.size) + " %";
}

}  // namespace cay::sandbox
