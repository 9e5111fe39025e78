#include "sandbox/processes/process_request.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/nul.h"
#include "guest_link/file_paths.h"
#include "guest_link/request_limits.h"
#include "protocol/cbor.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::sandbox {
namespace {

constexpr size_t kMaxTagBytes = 128;
constexpr size_t kRememberedArguments = 64;
constexpr size_t kRememberedBytes = 4096;
constexpr const char* kMore = "\xe2\x80\xa6";

Failure TooHigh(const std::string& what, const std::string& maximum) {
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller, what + " is over the maximum of " + maximum)
          .WithRemedy("ask for " + maximum +
                      " or less, or raise the maximum in the server's configuration"));
}

Result<void> CheckEnvironment(const StringMap& env) {
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      return Failure(Error::Invalid("not an environment variable: \"" + ToUtf8Lossy(name) + "\""));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> CommandOf(const ProcessSpec& spec) {
  if (spec.argv.empty() == spec.shell.empty()) {
    return Failure(Error::Invalid(
        spec.argv.empty() ? "the command is missing"
                          : "the command is given twice: as arguments and as a shell line"));
  }
  if (!spec.shell.empty()) return std::vector<std::string>{"/bin/sh", "-c", spec.shell};
  return spec.argv;
}

Result<std::optional<Millis>> TimeoutOf(const ProcessSpec& spec, const KeeperOptions& options) {
  if (!spec.timeout && spec.background) return std::nullopt;
  const Millis timeout = spec.timeout.value_or(options.default_timeout);
  const bool bounded = options.max_timeout > Millis(0);
  if (timeout < Millis(0)) return Failure(Error::Invalid("\"timeout\" is negative"));
  if (timeout == Millis(0)) {
    if (bounded) return TooHigh("a command without a timeout", FormatDuration(options.max_timeout));
    return std::nullopt;
  }
  if (bounded && timeout > options.max_timeout) {
    return TooHigh("a timeout of " + FormatDuration(timeout), FormatDuration(options.max_timeout));
  }
  return timeout;
}

Result<Millis> KillGraceOf(const ProcessSpec& spec, const KeeperOptions& options) {
  const Millis grace = spec.kill_grace.value_or(options.kill_grace);
  if (grace < Millis(0)) return Failure(Error::Invalid("\"kill_grace\" is negative"));
  if (grace <= kMaxKillGrace) return grace;
  return TooHigh("a kill_grace of " + FormatDuration(grace), FormatDuration(kMaxKillGrace));
}

Result<Millis> CpuTimeOf(const Lease& lease, const ProcessSpec& spec,
                         const ManagerOptions& options) {
  // What a sandbox has had since its creation stays allowed when the maximum is lowered.
  const Millis of_the_sandbox = lease.view().spec.cpu_time.value_or(Millis(0));
  if (!spec.cpu_time) return of_the_sandbox;
  TRY(CheckCpuTime(*spec.cpu_time, options));
  return *spec.cpu_time;
}

Result<protocol::StartRequest> BuildStartRequest(const Lease& lease, const ProcessSpec& spec,
                                                 const KeeperOptions& options) {
  protocol::StartRequest request;
  request.argv = TRY(CommandOf(spec));
  TRY(CheckEnvironment(spec.env));
  request.env = lease.Environment(spec.env);
  if (lease.guest().protocol() >= protocol::kStartDefaultsSince) {
    request.account_env = lease.AccountVariables(spec.env);
    request.shell = !spec.shell.empty();
    request.make_directory = true;
  }
  request.cwd = TRY(DirectoryPath(lease.workdir(), spec.workdir));
  request.user = spec.user.empty() ? lease.user() : spec.user;
  request.stdin_open = spec.stdin_open;
  request.terminal = spec.terminal;
  request.ring_bytes = spec.output_held.value_or(options.output_held);
  if (request.ring_bytes > options.max_output_held) {
    return TooHigh("an output_held of " + FormatBytes(request.ring_bytes),
                   FormatBytes(options.max_output_held));
  }
  TRY(CheckLength("\"tag\"", spec.tag, kMaxTagBytes));
  if (!IsUtf8(spec.tag)) return Failure(Error::Invalid("\"tag\" is not UTF-8"));
  return request;
}

std::vector<std::string> RememberedCommand(const std::vector<std::string>& argv) {
  std::vector<std::string> command;
  size_t left = kRememberedBytes;
  for (const std::string& argument : argv) {
    if (command.size() == kRememberedArguments || left == 0) {
      command.emplace_back(kMore);
      break;
    }
    const bool whole = argument.size() <= left;
    command.push_back(whole ? argument : argument.substr(0, left) + kMore);
    left -= std::min(left, argument.size());
  }
  return command;
}

}  // namespace cay::sandbox
