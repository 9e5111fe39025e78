// cay start | stop | pause | resume | reset | rm | extend: what is done to whole sandboxes.
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

Answers AnswersOf(const ServerOptions& options, size_t named) {
  return {{.json = options.json, .quiet = options.quiet}, named};
}

enum class Act { kStart, kStop, kPause, kResume, kReset };

template <Act kAct>
Result<int> ActMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  constexpr std::string_view kPaths[] = {"/start", "/stop", "/pause", "/resume", "/reset"};
  Answers answers = AnswersOf(options, rest.values.size());
  return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    const std::string path = SandboxPath(id, kPaths[static_cast<size_t>(kAct)]);
    return answers.Add(id, TRY(api.Call("POST", path)));
  }));
}

Result<int> RestartMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  Answers answers = AnswersOf(options, rest.values.size());
  return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    TRY(api.Call("POST", SandboxPath(id, "/stop")));
    return answers.Add(id, TRY(api.Call("POST", SandboxPath(id, "/start"))));
  }));
}

Result<int> RenameMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  Answers answers = AnswersOf(options, 1);
  TRY(answers.Add(id,
                  TRY(api.Call("PATCH", SandboxPath(id), json::object{{"name", rest.values[1]}}))));
  return answers.Finish(0);
}

struct RemoveOptions : ServerOptions {
  bool force = false;
};

// As docker's: what runs is not lost by a slip.
Result<void> CheckRemovable(ApiClient& api, const std::string& id) {
  const std::string state = TextOf(TRY(api.Get(SandboxPath(id))), "state");
  if (state != "running" && state != "paused") return {};
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller, id + " is " + state)
                     .WithRemedy("stop it first, or destroy it all the same: cay rm -f " + id));
}

// Nobody has it; one of another owner's that has this name is in the remedy, and is not gone.
bool IsGone(const Error& error) {
  return error.code() == ErrorCode::kNotFound && !error.remedy().Has(Action::kUse);
}

Result<void> Remove(ApiClient& api, const RemoveOptions& options, const std::string& typed,
                    Answers& answers) {
  const std::string id = TRY(api.ResolveSandbox(typed));
  if (!options.force) TRY(CheckRemovable(api, id));
  TRY(api.Call("DELETE", SandboxPath(id)));
  return answers.Add(id, {{"id", id}, {"state", "destroyed"}});
}

Result<int> RemoveMain(ApiClient& api, RemoveOptions& options, Positionals& rest) {
  Answers answers = AnswersOf(options, rest.values.size());
  return answers.Finish(ForEach(rest.values, [&](const std::string& typed) -> Result<void> {
    Result<void> removed = Remove(api, options, typed, answers);
    if (!removed && options.force && IsGone(removed.error())) return {};
    return removed;
  }));
}

// "24h30m", "59m58s"
std::string LongUntil(const json::object& sandbox) {
  const int64_t seconds = std::max<int64_t>(
      0, (ParseTime(TextOf(sandbox, "expires_at")).value_or(0) - UnixMs() + 500) / 1000);
  const auto minutes = (seconds + 30) / 60;
  if (seconds < 3600) return FormatDuration(Millis(seconds * 1000));
  return std::to_string(minutes / 60) + "h" +
         (minutes % 60 != 0 ? std::to_string(minutes % 60) + "m" : "");
}

Result<int> ExtendMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  if (TRY(ParseDuration(rest.values[1])) <= Millis(0)) {
    return Failure(
        Error::Invalid("TIME must be more than 0").WithRemedy("as in cay extend web 30m"));
  }
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  const json::object sandbox =
      TRY(api.Call("POST", SandboxPath(id, "/extend"), json::object{{"by", rest.values[1]}}));
  if (options.json) {
    TRY(Print(PrettyJson(sandbox)));
  } else if (!options.quiet) {
    TRY(Print("ends in " + (TextOf(sandbox, "expires_at").empty() ? "-" : LongUntil(sandbox)) +
              "\n"));
  }
  return 0;
}

constexpr OptionSpec kOptions[] = {
    kJsonOption<ServerOptions>,       kSilentOption<ServerOptions>,  kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>, kContextOption<ServerOptions>,
};

constexpr OptionSpec kRemoveOptions[] = {
    {.name = "force",
     .short_name = 'f',
     .help = "Also what runs or is paused; what is gone already is no error",
     .apply = kFlag<RemoveOptions, &RemoveOptions::force>},
    kJsonOption<RemoveOptions>,
    kSilentOption<RemoveOptions>,
    kUrlOption<RemoveOptions>,
    kApiKeyFileOption<RemoveOptions>,
    kContextOption<RemoveOptions>,
};

constexpr std::string_view kUsage = "[OPTIONS] SANDBOX...";
constexpr size_t kMany = 10'000;

}  // namespace

constinit const Command kStartCommand = {
    .name = "start",
    .summary = "Start stopped or failed sandboxes again",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay start web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ActMain<Act::kStart>>,
};

constinit const Command kStopCommand = {
    .name = "stop",
    .summary = "End the processes of sandboxes, and keep their files",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay stop web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ActMain<Act::kStop>>,
};

constinit const Command kPauseCommand = {
    .name = "pause",
    .summary = "Freeze sandboxes: nothing in them runs until cay resume",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay pause web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ActMain<Act::kPause>>,
};

constinit const Command kResumeCommand = {
    .name = "resume",
    .summary = "Let paused sandboxes run on",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay resume web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ActMain<Act::kResume>>,
};

constinit const Command kResetCommand = {
    .name = "reset",
    .summary = "End the processes of sandboxes, and take away what they wrote; project files stay",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay reset web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ActMain<Act::kReset>>,
};

constinit const Command kRestartCommand = {
    .name = "restart",
    .summary = "Stop sandboxes and start them again: files stay, processes end",
    .usage = kUsage,
    .options = kOptions,
    .examples = "cay restart web\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, RestartMain>,
};

constinit const Command kRenameCommand = {
    .name = "rename",
    .summary = "Give a sandbox another name",
    .usage = "[OPTIONS] SANDBOX NAME",
    .options = kOptions,
    .examples = "cay rename web shop\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, RenameMain>,
};

constinit const Command kRmCommand = {
    .name = "rm",
    .summary = "Destroy sandboxes, with their processes and files",
    .usage = kUsage,
    .description = "What runs or is paused is destroyed only with -f.\n",
    .options = kRemoveOptions,
    .examples =
        "cay rm -f web\ncay stop web && cay rm web\ncay rm -f $(cay ls -q --label run=17)\n",
    .min_arguments = 1,
    .max_arguments = kMany,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<RemoveOptions, RemoveMain>,
};

constinit const Command kExtendCommand = {
    .name = "extend",
    .summary = "Give a sandbox a longer life",
    .usage = "[OPTIONS] SANDBOX TIME",
    .options = kOptions,
    .examples = "cay extend web 30m\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, ExtendMain>,
};

}  // namespace cay::cli
