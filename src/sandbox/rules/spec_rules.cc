#include "sandbox/rules/spec_rules.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <type_traits>

#include "base/encoding.h"
#include "base/nul.h"
#include "network/policy/publish.h"
#include "protocol/file_messages.h"
#include "sandbox/fields.h"
#include "sandbox/rules/mount_roots.h"
#include "sandbox/rules/network_rules.h"
#include "sandbox/rules/volume_rules.h"
#include "sandbox/startup/rules/startup_rules.h"

namespace cay::sandbox {
namespace {

constexpr size_t kMaxOwnerBytes = 64;
constexpr std::string_view kLettersAndDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

Error TooHigh(std::string_view what, const std::string& value, const std::string& maximum,
              std::string_view key) {
  return Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
               "the " + std::string(what) + " of " + value + " is over the maximum of " + maximum)
      .WithRemedy("ask for " + maximum + " or less, or raise " + std::string(key) +
                  " in the configuration");
}

std::string Plain(uint64_t value) { return std::to_string(value); }
std::string Size(uint64_t value) { return FormatBytes(value); }
std::string Cpus(uint64_t value) { return FormatCpus(static_cast<MilliCpus>(value)); }

// [A-Za-z0-9][A-Za-z0-9._-]{0,127}
Result<void> CheckName(std::string_view what, std::string_view name) {
  if (name.empty()) return {};
  const bool only = std::ranges::all_of(name, [](char c) {
    return kLettersAndDigits.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
  });
  if (only && name.size() <= kMaxNameBytes &&
      kLettersAndDigits.find(name.front()) != std::string_view::npos)
    return {};
  return Failure(Error::Invalid("not a " + std::string(what) + ": \"" +
                                std::string(name.substr(0, 160)) + "\"")
                     .WithRemedy("use 1 to 128 letters, digits, '.', '_' and '-', the first one a "
                                 "letter or a digit"));
}

Result<void> CheckMetadata(const StringMap& metadata) {
  if (metadata.size() > kMaxMetadata) {
    return Failure(Error::Invalid("\"metadata\" has more than the maximum of " +
                                  std::to_string(kMaxMetadata) + " entries"));
  }
  for (const auto& [key, value] : metadata) {
    if (key.empty() || key.size() > kMaxMetadataKeyBytes || value.size() > kMaxMetadataValueBytes) {
      return Failure(Error::Impossible(
          "the entry of \"metadata\" named \"" + key.substr(0, kMaxMetadataKeyBytes) +
          "\" is too long: keys have 1 to " + std::to_string(kMaxMetadataKeyBytes) +
          " bytes, values at most " + std::to_string(kMaxMetadataValueBytes)));
    }
  }
  return {};
}

Result<void> CheckEnv(const StringMap& env) {
  if (env.size() > kMaxEnv)
    return Failure(Error::Impossible("\"env\" has more than the maximum of " +
                                     std::to_string(kMaxEnv) + " variables"));
  size_t bytes = 0;
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      return Failure(Error::Invalid("not an environment variable: \"" + name.substr(0, 160) + "\"")
                         .WithRemedy("names are not empty and have no '='; neither names nor "
                                     "values have NUL bytes"));
    }
    bytes += name.size() + value.size() + 2;
  }
  if (bytes <= kMaxEnvBytes) return {};
  return Failure(Error::Impossible("\"env\" has " + std::to_string(bytes) +
                                   " bytes, over the maximum of " + std::to_string(kMaxEnvBytes)));
}

// The bounds that the list of fields has.
Result<void> CheckTexts(const SandboxSpec& spec) {
  std::optional<Error> wrong;
  auto check = [&](const field::About& about, auto kind, const auto& member) {
    if constexpr (std::is_same_v<decltype(kind), field::Text>) {
      if (wrong || member.size() <= kind.max_bytes) return;
      wrong = Error::Impossible("\"" + std::string(about.name) + "\" has " +
                                std::to_string(member.size()) + " bytes, over the maximum of " +
                                std::to_string(kind.max_bytes));
    }
  };
  fields::Spec::Of(spec, check);
  if (wrong) return Failure(*std::move(wrong));
  return {};
}

Result<void> CheckPlaces(const SandboxSpec& spec) {
  if (HasNul(spec.user))
    return Failure(Error::Invalid("not a user's name: \"" + spec.user.substr(0, 80) + "\""));
  if (spec.workdir.empty()) return {};
  if (spec.workdir.front() == '/' && spec.workdir.size() <= protocol::kMaxPathBytes &&
      !HasNul(spec.workdir))
    return {};
  return Failure(Error::Invalid("not a working directory: \"" + spec.workdir.substr(0, 160) + "\"")
                     .WithRemedy("name an absolute path, as in /workspace"));
}

// One limit: the value that was asked for, or the default.
struct LimitRule {
  engine::LimitKind kind;
  std::optional<uint64_t> asked;
  uint64_t default_value;
  uint64_t maximum;
  std::string (*show)(uint64_t);
};

Result<uint64_t> Resolve(const LimitRule& rule, engine::LimitSet& required) {
  const std::string name(engine::LimitName(rule.kind));
  if (rule.asked) required.Add(rule.kind);
  const uint64_t value = rule.asked.value_or(rule.default_value);
  if (value > rule.maximum) {
    return Failure(TooHigh(name + " limit", rule.show(value), rule.show(rule.maximum),
                           "limits.maxima." + name));
  }
  return value;
}

Result<void> ResolveLimits(SandboxSpec& spec, const ManagerOptions& options,
                           ResolvedSpec& resolved) {
  using engine::LimitKind;
  const engine::Limits& least = options.default_limits;
  const engine::Limits& most = options.max_limits;
  engine::Limits& limits = resolved.limits;
  engine::LimitSet& required = resolved.required;
  limits.memory =
      TRY(Resolve({LimitKind::kMemory, spec.memory, least.memory, most.memory, &Size}, required));
  limits.cpus = static_cast<MilliCpus>(
      TRY(Resolve({LimitKind::kCpus, spec.cpus, least.cpus, most.cpus, &Cpus}, required)));
  limits.pids = static_cast<uint32_t>(
      TRY(Resolve({LimitKind::kPids, spec.pids, least.pids, most.pids, &Plain}, required)));
  limits.disk = TRY(Resolve({LimitKind::kDisk, spec.disk, least.disk, most.disk, &Size}, required));
  limits.inodes = least.inodes;
  limits.open_files = TRY(
      Resolve({LimitKind::kOpenFiles, spec.open_files, least.open_files, most.open_files, &Plain},
              required));
  const Bytes largest_file = FileSizeLimit(most);
  limits.file_size = TRY(Resolve(
      {LimitKind::kFileSize, spec.file_size, least.file_size, largest_file, &Size}, required));
  if (limits.file_size == 0) limits.file_size = std::min(limits.disk, largest_file);
  spec.memory = limits.memory;
  spec.cpus = limits.cpus;
  spec.pids = limits.pids;
  spec.disk = limits.disk;
  spec.open_files = limits.open_files;
  spec.file_size = limits.file_size;
  return {};
}

// `whose`: "a sandbox".
Result<void> CheckTime(std::string_view whose, std::string_view what, Millis value, Millis maximum,
                       std::string_view key) {
  if (value < Millis(0))
    return Failure(Error::Invalid("the " + std::string(what) + " is negative"));
  if (maximum == Millis(0)) return {};
  if (value == Millis(0)) {
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         std::string(whose) + " without a " + std::string(what) +
                             " is not allowed: the maximum is " + FormatDuration(maximum))
                       .WithRemedy("ask for " + FormatDuration(maximum) + " or less, or set " +
                                   std::string(key) + " to 0 in the configuration"));
  }
  if (value <= maximum) return {};
  return Failure(TooHigh(what, FormatDuration(value), FormatDuration(maximum), key));
}

Result<void> CheckIdleTimeout(Millis idle, const ManagerOptions& options) {
  return CheckTime("a sandbox", "idle timeout", idle, options.max_idle_timeout,
                   "timeouts.max_idle");
}

}  // namespace

Result<void> CheckLifetime(Millis life, const ManagerOptions& options) {
  return CheckTime("a sandbox", "timeout", life, options.max_timeout, "timeouts.max_lifetime");
}

Result<void> CheckCpuTime(Millis cpu_time, const ManagerOptions& options) {
  if (cpu_time.count() % 1000 != 0) {
    return Failure(Error::Impossible("a cpu_time limit of " + FormatDuration(cpu_time) +
                                     " is not whole seconds")
                       .WithRemedy("write whole seconds, as in 300 or \"5m\""));
  }
  return CheckTime("a process", "cpu_time limit", cpu_time, options.max_cpu_time,
                   "limits.maxima.cpu_time");
}

Result<void> CheckSandboxName(std::string_view name) {
  return CheckName("name of a sandbox", name);
}

Result<void> CheckOwnerName(std::string_view owner) {
  const auto alphanumeric = [](char c) { return kLettersAndDigits.contains(c); };
  const bool good = !owner.empty() && owner.size() <= kMaxOwnerBytes && alphanumeric(owner[0]) &&
                    std::ranges::all_of(owner, [&](char c) {
                      return alphanumeric(c) || std::string_view("._@+-").contains(c);
                    });
  if (good) return {};
  return Failure(
      Error::Invalid("not the name of an owner: \"" + std::string(owner.substr(0, 80)) + "\"")
          .WithRemedy("use up to " + std::to_string(kMaxOwnerBytes) +
                      " letters, digits and . _ @ + -, beginning with a letter or digit"));
}

Result<void> CheckIdempotencyKey(std::string_view key) {
  const bool printable = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 127; });
  if (printable && key.size() <= kMaxIdempotencyKeyBytes) return {};
  return Failure(Error::Invalid("not an idempotency key")
                     .WithRemedy("use at most " + std::to_string(kMaxIdempotencyKeyBytes) +
                                 " printable characters without spaces, such as a UUID"));
}

namespace {

Result<void> CheckPrivileges(Privileges privileges, const ManagerOptions& options) {
  if (privileges == Privileges::kNone || options.allow_root) return {};
  return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                       "this server gives sandboxes no privileges of root")
                     .WithRemedy("leave \"privileges\" out, or have allow_root set in the server's "
                                 "configuration"));
}

}  // namespace

Result<ResolvedSpec> ResolveSpec(const SandboxSpec& asked, const ManagerOptions& options) {
  TRY(CheckSandboxName(asked.name));
  TRY(CheckName("name of a project", asked.project));
  TRY(CheckTexts(asked));
  TRY(CheckMetadata(asked.metadata));
  TRY(CheckEnv(asked.env));
  TRY(CheckPlaces(asked));
  TRY(CheckPrivileges(asked.privileges, options));
  TRY(CheckStartupAsked(asked));
  TRY(CheckVolumeUses(asked.volumes));
  ResolvedSpec resolved{.spec = asked, .limits = {}, .required = {}};
  SandboxSpec& spec = resolved.spec;
  if (spec.template_name.empty()) spec.template_name = options.default_template;
  TRY(ResolveLimits(spec, options, resolved));
  spec.timeout = asked.timeout.value_or(options.default_timeout);
  spec.idle_timeout = asked.idle_timeout.value_or(options.default_idle_timeout);
  spec.on_timeout = asked.on_timeout.value_or(options.default_on_timeout);
  TRY(CheckLifetime(*spec.timeout, options));
  TRY(CheckIdleTimeout(*spec.idle_timeout, options));
  spec.cpu_time = asked.cpu_time.value_or(options.default_cpu_time);
  TRY(CheckCpuTime(*spec.cpu_time, options));
  spec.network = TRY(ResolveNetwork(asked.network, spec.template_name, options.network));
  spec.mounts = TRY(ResolveMounts(asked.mounts, options.mount_roots));
  return resolved;
}

namespace {

// Puts into a spec what a change has.
class Changer {
 public:
  explicit Changer(SandboxSpec& spec) : spec_(spec) {}

  template <class Kind, class T>
  void operator()(const field::About& about, Kind, const std::optional<T>& value) {
    if (!value) return;
    auto put = [&](const field::About& of, auto, auto& member) {
      using Member = std::remove_reference_t<decltype(member)>;
      if constexpr (std::is_same_v<Member, std::optional<T>>) {
        if (of.name == about.name) member = value;
      } else if constexpr (std::is_same_v<Member, T>) {
        if (of.name == about.name) member = *value;
      }
    };
    fields::Change::Of(spec_, put);
  }

 private:
  SandboxSpec& spec_;
};

}  // namespace

Result<ResolvedChange> ResolveChange(const SandboxSpec& spec, const engine::Limits& limits,
                                     const SandboxChange& change, const ManagerOptions& options) {
  ResolvedChange changed{.spec = spec, .limits = limits};
  if (change.name) TRY(CheckSandboxName(*change.name));
  if (change.metadata) TRY(CheckMetadata(*change.metadata));
  if (change.timeout) TRY(CheckLifetime(*change.timeout, options));
  if (change.idle_timeout) TRY(CheckIdleTimeout(*change.idle_timeout, options));
  Changer changer(changed.spec);
  fields::Change::Of(change, changer);
  if (change.network) {
    NetworkSpec asked = *change.network;
    asked.said = true;
    changed.spec.network = TRY(ResolveNetwork(asked, spec.template_name, options.network));
  }
  TRY(CheckTexts(changed.spec));
  changed.limits_changed = change.memory || change.cpus || change.pids;
  if (!changed.limits_changed) return changed;
  using engine::LimitKind;
  const engine::Limits& most = options.max_limits;
  engine::LimitSet named;
  changed.limits.memory =
      TRY(Resolve({LimitKind::kMemory, change.memory, limits.memory, most.memory, &Size}, named));
  changed.limits.cpus = static_cast<MilliCpus>(
      TRY(Resolve({LimitKind::kCpus, change.cpus, limits.cpus, most.cpus, &Cpus}, named)));
  changed.limits.pids = static_cast<uint32_t>(
      TRY(Resolve({LimitKind::kPids, change.pids, limits.pids, most.pids, &Plain}, named)));
  changed.spec.memory = changed.limits.memory;
  changed.spec.cpus = changed.limits.cpus;
  changed.spec.pids = changed.limits.pids;
  return changed;
}

}  // namespace cay::sandbox
