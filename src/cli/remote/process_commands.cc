// cay kill, cay wait, and cay ps with a sandbox: processes of the server's.
#include <poll.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <csignal>
#include <optional>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/remote/server_ps.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct KillOptions : ServerOptions {
  std::string signal;
  bool leftovers = false;
};

struct WaitOptions : ServerOptions {
  std::string timeout;
};

// "exited 3", "SIGKILL", "timed out", "running".
std::string EndCell(const json::object& process) {
  const std::string state = TextOf(process, "state");
  if (state != "exited") return state.empty() ? "-" : OneLine(state);
  if (FlagOf(process, "timed_out")) return "timed out";
  if (FlagOf(process, "oom_killed")) return "out of memory";
  const std::string signal = TextOf(process, "signal");
  return signal.empty() ? "exited " + Cell(process, "exit_code") : OneLine(signal);
}

std::string RenderProcesses(const json::array& processes) {
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {
      {"PROCESS", "PID", "STATE", "STARTED", "ENDS IN", "TAG", "COMMAND"}};
  for (const json::value& entry : processes) {
    if (!entry.is_object()) continue;
    const json::object& process = entry.get_object();
    rows.push_back({ProcessIdOf(process), Cell(process, "pid"), EndCell(process),
                    AgeCell(process, "started_at", now), UntilCell(process, "deadline_at", now),
                    Cell(process, "tag"), Cell(process, "command")});
  }
  return FormatTable(rows);
}

Result<int> KillMain(ApiClient& api, KillOptions& options, Positionals& rest) {
  if (!options.signal.empty() && !ParseSignal(options.signal)) {
    return Failure(Error::Invalid("there is no signal " + OneLine(options.signal))
                       .WithRemedy("as in cay kill -s TERM " + rest.values.front()));
  }
  const std::string id = TRY(api.ResolveSandbox(rest.values.front()));
  json::object request;
  if (auto number = ParseUnsigned(options.signal)) {
    request["signal"] = *number;
  } else {
    request["signal"] = (options.signal.starts_with("SIG") ? "" : "SIG") + options.signal;
  }
  const auto kill = [&](const std::string& process) {
    if (options.leftovers) return api.Call("POST", ProcessPath(id, process, "/kill_leftovers"));
    if (options.signal.empty()) return api.Call("DELETE", ProcessPath(id, process));
    return api.Call("POST", ProcessPath(id, process, "/signal"), request);
  };
  return ForEach(std::span(rest.values).subspan(1),
                 [&](const std::string& process) -> Result<void> {
                   TRY(kill(process));
                   return {};
                 });
}

using Clock = EventSource::Clock;
using Deadline = std::optional<Clock::time_point>;

// A server takes no more.
constexpr Millis kLongestAnswer{3'600'000};

// The question for a process's end, which is answered when it has ended, or at the deadline.
std::string WaitTarget(const std::string& path, const Deadline& until) {
  Target target(path);
  if (until) {
    const auto left = std::chrono::ceil<Millis>(*until - Clock::now());
    target = std::move(target).Add(
        "timeout", FormatDuration(std::clamp<Millis>(left, Millis(0), kLongestAnswer)));
  }
  return target.text();
}

// Asks again while the server is away, for as long as one that is restarted may take, and until the
// deadline.
Result<json::object> WaitPatiently(ApiClient& api, const std::string& path, const Deadline& until) {
  constexpr Millis kPause{500};
  Result<json::object> answer = api.Get(WaitTarget(path, until));
  if (answer || api.answered()) return answer;
  Clock::time_point give_up = Clock::now() + EventSource::kPatience;
  if (until) give_up = std::min(give_up, *until);
  const auto left = [&] {
    return std::max(std::chrono::ceil<Millis>(give_up - Clock::now()), Millis(0));
  };
  Note("the connection was lost (" + answer.error().message() +
       "); waiting for the server, up to " + FormatDuration(left()));
  while (!answer && !api.answered() && left() > Millis(0)) {
    ::poll(nullptr, 0, static_cast<int>(std::min(left(), kPause).count()));
    answer = api.Get(WaitTarget(path, until));
  }
  if (api.answered()) Note("connected again");
  return answer;
}

Result<int> WaitMain(ApiClient& api, WaitOptions& options, Positionals& rest) {
  Deadline until;
  if (!options.timeout.empty()) until = Clock::now() + TRY(ParseDuration(options.timeout));
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  const std::string path = ProcessPath(id, rest.values[1], "/wait");
  // Once without patience: a server that has never answered is not waited for.
  json::object process = TRY(api.Get(WaitTarget(path, Clock::now())));
  while (TextOf(process, "state") == "running") {
    // The server's own patience, or its life, may be over before the caller's patience.
    if (until && Clock::now() >= *until) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kCaller, "the process still runs"));
    }
    process = TRY(WaitPatiently(api, path, until));
  }
  if (options.json) {
    TRY(Print(PrettyJson(process)));
  } else {
    TRY(Print(std::to_string(TRY(ExitCodeOfEnd(ParseProcessEnd(process)))) + "\n"));
  }
  return 0;
}

constexpr OptionSpec kKillOptions[] = {
    {.name = "signal",
     .short_name = 's',
     .value = "SIGNAL",
     .help = "Send this signal to the process group (default KILL)",
     .example = "TERM",
     .completes = Completes::kWords,
     .words = "TERM INT HUP QUIT KILL STOP CONT USR1 USR2",
     .apply = kText<KillOptions, &KillOptions::signal>},
    {.name = "leftovers",
     .help = "Of a process that has ended: kill what it left running",
     .apply = kFlag<KillOptions, &KillOptions::leftovers>},
    kUrlOption<KillOptions>,
    kApiKeyFileOption<KillOptions>,
    kContextOption<KillOptions>,
};

constexpr OptionSpec kWaitOptions[] = {
    {.name = "timeout",
     .value = "TIME",
     .help = "Wait at most this long, then exit 1",
     .example = "30s",
     .apply = kText<WaitOptions, &WaitOptions::timeout>},
    kJsonOption<WaitOptions>,
    kUrlOption<WaitOptions>,
    kApiKeyFileOption<WaitOptions>,
    kContextOption<WaitOptions>,
};

}  // namespace

Result<int> ServerPsMain(ApiClient& api, PsOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values.front()));
  const json::object answer = TRY(api.Get(SandboxPath(id, "/processes")));
  const json::array& processes = ArrayOf(answer, "processes");
  if (options.quiet) {
    std::string ids;
    for (const json::value& process : processes) {
      if (process.is_object()) ids += ProcessIdOf(process.get_object()) + "\n";
    }
    TRY(Print(ids));
  } else {
    TRY(Print(options.json ? PrettyJson(processes) : RenderProcesses(processes)));
  }
  return 0;
}

constinit const Command kKillCommand = {
    .name = "kill",
    .summary = "Kill processes of a sandbox, or send them a signal",
    .usage = "[OPTIONS] SANDBOX PROCESS...",
    .options = kKillOptions,
    .examples = "cay kill web 3\ncay kill -s INT web 3\n",
    .min_arguments = 2,
    .max_arguments = 1000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<KillOptions, KillMain>,
};

constinit const Command kWaitCommand = {
    .name = "wait",
    .summary = "Wait until a process has ended, and print its exit code",
    .usage = "[OPTIONS] SANDBOX PROCESS",
    .options = kWaitOptions,
    .examples = "cay wait web 3\ncay wait --timeout 30s --json web 3\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<WaitOptions, WaitMain>,
};

}  // namespace cay::cli
