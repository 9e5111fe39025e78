#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "build/packages/derive.h"

namespace cay::build {
namespace {

constexpr size_t kMaxLines = 12;
constexpr size_t kMaxBytes = 2000;

// What managers write that did not reach their registry. They come before those of kMissing: pip
// says that there is no such version, too, when it has reached nobody.
constexpr std::array<std::string_view, 21> kUnreached = {"NewConnectionError",
                                                         "NameResolutionError",
                                                         "ConnectTimeoutError",
                                                         "ReadTimeoutError",
                                                         "ProxyError",
                                                         "CERTIFICATE_VERIFY_FAILED",
                                                         "Connection refused",
                                                         "Network is unreachable",
                                                         "ConnectionResetError",
                                                         "RemoteDisconnected",
                                                         "ENOTFOUND",
                                                         "ECONNREFUSED",
                                                         "EAI_AGAIN",
                                                         "ETIMEDOUT",
                                                         "ECONNRESET",
                                                         "ENETUNREACH",
                                                         "UNABLE_TO_",
                                                         "SELF_SIGNED_CERT",
                                                         "Temporary failure resolving",
                                                         "Could not connect to",
                                                         "Failed to fetch"};

// What they write where the registry does not have it.
constexpr std::array<std::string_view, 9> kMissing = {"No matching distribution found",
                                                      "Could not find a version that satisfies",
                                                      "npm error code E404",
                                                      "npm error code ETARGET",
                                                      "npm ERR! code E404",
                                                      "npm ERR! code ETARGET",
                                                      "Unable to locate package",
                                                      "has no installation candidate",
                                                      "was not found"};

template <size_t N>
bool HasAny(std::string_view text, const std::array<std::string_view, N>& all) {
  return std::ranges::any_of(all, [&](std::string_view one) { return text.contains(one); });
}

// The last lines of what it wrote.
std::string LastLines(const std::string& output) {
  std::string_view text = output;
  while (text.ends_with('\n')) text.remove_suffix(1);
  size_t from = text.size();
  for (size_t lines = 0; lines < kMaxLines && from > 0; ++lines) {
    const size_t end = text.rfind('\n', from - 1);
    from = end == std::string_view::npos ? 0 : end;
  }
  text.remove_prefix(from + (from > 0 ? 1 : 0));
  if (text.size() > kMaxBytes) text.remove_prefix(text.size() - kMaxBytes);
  return std::string(text);
}

}  // namespace

Error PackageError(const StepFailure& failure) {
  const StepEnd& end = failure.end;
  const std::string& output = failure.output_end;
  const std::string last = LastLines(output);
  const std::string what = failure.step.text;
  const std::string tail = last.empty() ? "" : ":\n" + last;
  if (end.timed_out)
    return Error(ErrorCode::kTimeout, Fault::kMachine, what + " took longer than a step may" + tail)
        .WithRemedy("raise templates.step_timeout in the configuration");
  if (end.oom_killed || end.disk_full) {
    return Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                 what + (end.oom_killed ? " had no memory left" : " had no disk left") + tail)
        .WithRemedy(end.oom_killed ? "raise templates.build_memory in the configuration"
                                   : "raise templates.build_disk in the configuration");
  }
  if (HasAny(output, kUnreached)) {
    return Error(ErrorCode::kUnavailable, Fault::kMachine,
                 what + ": the registry was not reached" + tail)
        .WithRemedy(
            "packages come from the registries of the presets; templates.packages_allow names "
            "others, and templates.packages_env says where an index is (on this machine: "
            "--packages-allow, --packages-env)");
  }
  if (HasAny(output, kMissing)) {
    return Error(ErrorCode::kNotFound, Fault::kCaller,
                 what + ": the registry does not have what was asked for" + tail)
        .WithRemedy("look at the names and versions of the packages");
  }
  const std::string how = end.signal == 0 ? " ended with exit code " + std::to_string(end.exit_code)
                                          : " was ended by signal " + std::to_string(end.signal);
  return Error(ErrorCode::kInvalidArgument, Fault::kCaller, what + how + tail)
      .WithRemedy("a package cannot be installed in this template: its own output says why");
}

}  // namespace cay::build
