#include "sandbox/guest_end.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cay::sandbox {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(kLastGuestEndKind) + 1> kNames = {
    "unknown", "stopped", "reset", "destroyed", "oom_killed", "signalled", "exited", "lost"};

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : std::to_string(signal);
}

}  // namespace

std::string_view GuestEndName(GuestEndKind kind) { return kNames[static_cast<size_t>(kind)]; }

GuestEndKind GuestEndFromName(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return GuestEndKind::kUnknown;
  return static_cast<GuestEndKind>(found - kNames.begin());
}

bool IsByItsOwner(GuestEndKind kind) {
  return kind == GuestEndKind::kStopped || kind == GuestEndKind::kReset ||
         kind == GuestEndKind::kDestroyed;
}

GuestEnd GuestEndOf(const engine::Exit& exit) {
  switch (exit.reason) {
    case engine::ExitReason::kOomKilled:
      return {GuestEndKind::kOomKilled, "oom_killed"};
    case engine::ExitReason::kSignalled:
      return {GuestEndKind::kSignalled, "signalled: " + SignalName(exit.signal)};
    case engine::ExitReason::kExited:
      return {GuestEndKind::kExited, "exited: " + std::to_string(exit.exit_code)};
    case engine::ExitReason::kStopped:
      return {GuestEndKind::kStopped, std::string(engine::ExitReasonName(exit.reason))};
    case engine::ExitReason::kNone:
    case engine::ExitReason::kUnknown:
      break;
  }
  return {GuestEndKind::kUnknown, std::string(engine::ExitReasonName(exit.reason))};
}

GuestEndKind GuestEndOfReason(std::string_view reason) {
  return GuestEndFromName(reason.substr(0, reason.find(':')));
}

}  // namespace cay::sandbox
