#include "sandbox/types.h"

#include <algorithm>
#include <array>

namespace cay::sandbox {
namespace {

constexpr std::array<std::string_view, 6> kStateNames = {"creating", "running", "paused",
                                                         "stopped",  "failed",  "destroyed"};
constexpr std::array<std::string_view, 3> kActionNames = {"destroy", "stop", "pause"};

template <class Enum, size_t kCount>
std::optional<Enum> FromName(const std::array<std::string_view, kCount>& names,
                             std::string_view name) {
  const auto* found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view SandboxStateName(SandboxState state) {
  return kStateNames[static_cast<size_t>(state)];
}

std::optional<SandboxState> SandboxStateFromName(std::string_view name) {
  return FromName<SandboxState>(kStateNames, name);
}

std::string_view OnTimeoutName(OnTimeout action) {
  return kActionNames[static_cast<size_t>(action)];
}

std::optional<OnTimeout> OnTimeoutFromName(std::string_view name) {
  return FromName<OnTimeout>(kActionNames, name);
}

QualifiedName Qualify(const Caller& caller, std::string_view which) {
  const size_t slash = which.rfind('/');
  if (slash == std::string_view::npos) return {caller.owner, std::string(which)};
  return {std::string(which.substr(0, slash)), std::string(which.substr(slash + 1))};
}

}  // namespace cay::sandbox
