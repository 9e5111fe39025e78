#include "sandbox/templates/push_types.h"

#include <array>

namespace cay::sandbox {

std::string_view PushStateName(PushState state) {
  constexpr std::array<std::string_view, kPushStates> kNames = {
      "waiting", "pushing", "done", "failed", "cancelled", "interrupted"};
  return kNames[static_cast<size_t>(state)];
}

}  // namespace cay::sandbox
