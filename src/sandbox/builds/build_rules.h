// BuildRules: what an administrator decides about builds: who may have them, how many at a time,
// how long, with how much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// Whose builds there are: nobody's, administrators', everybody's.
enum class BuildPolicy : uint8_t { kNever, kAdmin, kAll };
std::string_view BuildPolicyName(BuildPolicy policy);  // "never", "admin", "all"
Result<BuildPolicy> ParseBuildPolicy(std::string_view name);

struct BuildRules {
  static constexpr size_t kMostAtATime = 16;
  static constexpr uint64_t kMaxContextEntries = 1'000'000;

  BuildPolicy policy = BuildPolicy::kAdmin;
  size_t at_a_time = 2;
  size_t waiting = 16;             // beside those
  Millis timeout{7'200'000};       // of a build, from its turn on
  Millis step_timeout{3'600'000};  // of each RUN; 0: as long as the build may take
  Bytes max_context = 1 * kGiB;    // of the content of its files
  Bytes max_size = 16 * kGiB;      // of content that one build writes
  // Of each RUN's sandbox.
  engine::Limits limits{
      .memory = 4 * kGiB, .cpus = 2000, .pids = 4096, .disk = 20 * kGiB, .open_files = 65'536};
  bool share_cache = false;      // by all owners, and not by each for itself
  Bytes cache_size = 20 * kGiB;  // of what is kept for later builds, of all owners together
  Millis cache_age{30LL * 24 * 3'600'000};
  // Of packages that creates ask for, which are builds as any other.
  BuildPolicy packages = BuildPolicy::kAdmin;
  Millis packages_patience{600'000};          // of a create, for its packages
  std::vector<std::string> packages_allow{};  // rules: what is reached beside the registries
  std::vector<std::string> packages_env{};    // "NAME=value" of the installation alone
  std::vector<std::string> packages_ca{};     // files (PEM) that it trusts, beside the machine's
};

// kPermissionDenied unless the caller may build.
Result<void> CheckMayBuild(const BuildRules& rules, const Caller& caller);
// kPermissionDenied unless packages are installed for the caller.
Result<void> CheckMayInstall(const BuildRules& rules, const Caller& caller);
// How many of one owner's may be under way or wait: a half of all, that others come to theirs; of
// an administrator, all.
size_t MostOf(const BuildRules& rules, const Caller& caller);

}  // namespace cay::sandbox
