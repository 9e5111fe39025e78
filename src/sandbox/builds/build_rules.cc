#include "sandbox/builds/build_rules.h"

#include <algorithm>
#include <array>
#include <string>

namespace cay::sandbox {
namespace {

constexpr std::array<std::string_view, 3> kPolicies = {"never", "admin", "all"};

}  // namespace

std::string_view BuildPolicyName(BuildPolicy policy) {
  return kPolicies[static_cast<size_t>(policy)];
}

Result<BuildPolicy> ParseBuildPolicy(std::string_view name) {
  const auto* const found = std::ranges::find(kPolicies, name);
  if (found != kPolicies.end()) return static_cast<BuildPolicy>(found - kPolicies.begin());
  return Failure(
      Error::Invalid("\"" + std::string(name.substr(0, 40)) + "\" is not never, admin or all"));
}

Result<void> CheckMayBuild(const BuildRules& rules, const Caller& caller) {
  if (rules.policy == BuildPolicy::kAll) return {};
  if (rules.policy == BuildPolicy::kAdmin && caller.admin) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       rules.policy == BuildPolicy::kNever
                           ? "this server builds no templates"
                           : "only administrators build templates here")
                     .WithRemedy("the administrator's configuration has templates.build"));
}

Result<void> CheckMayInstall(const BuildRules& rules, const Caller& caller) {
  if (rules.packages == BuildPolicy::kAll) return {};
  if (rules.packages == BuildPolicy::kAdmin && caller.admin) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       rules.packages == BuildPolicy::kNever
                           ? "this server installs no packages for sandboxes"
                           : "packages are installed for administrators' sandboxes alone here")
                     .WithRemedy("the administrator's configuration has templates.packages; a "
                                 "template that has them is used as any other"));
}

size_t MostOf(const BuildRules& rules, const Caller& caller) {
  const size_t all = rules.at_a_time + rules.waiting;
  return caller.admin ? all : std::max<size_t>(all / 2, 1);
}

}  // namespace cay::sandbox
