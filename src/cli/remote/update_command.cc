// cay update: limits and times of sandboxes that are there. Values go to the server as they were
// typed.
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/json_fields.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct UpdateOptions : ServerOptions {
  json::object request;
};

Result<int> UpdateMain(ApiClient& api, UpdateOptions& options, Positionals& rest) {
  if (options.request.empty()) {
    return Failure(Error::Invalid("no change was given")
                       .WithRemedy("as in cay update --memory 1g " + rest.values.front()));
  }
  Answers answers({.json = options.json, .quiet = options.quiet}, rest.values.size());
  return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    return answers.Add(id, TRY(api.Call("PATCH", SandboxPath(id), options.request)));
  }));
}

template <FieldName kName, auto kParse>
constexpr auto kField = &Into<UpdateOptions, PutParsed<UpdateOptions, kName, kParse>>;

constexpr OptionSpec kOptions[] = {
    {.name = "memory",
     .short_name = 'm',
     .value = "SIZE",
     .help = "Memory of everything inside together",
     .example = "512m",
     .apply = kField<"memory_limit", &ParseBytes>},
    {.name = "cpus",
     .value = "N",
     .help = "Processors, also in parts",
     .example = "0.5",
     .apply = kField<"cpu_limit", &ParseCpus>},
    {.name = "pids",
     .value = "N",
     .help = "Processes and threads",
     .example = "256",
     .apply = &Into<UpdateOptions, PutNumber<UpdateOptions, "pids_limit">>},
    {.name = "timeout",
     .value = "TIME",
     .help = "Its life, from now on",
     .example = "1h",
     .apply = kField<"timeout", &ParseDuration>},
    {.name = "idle-timeout",
     .value = "TIME",
     .help = "End it after so long without a process, a stream or a call",
     .example = "30m",
     .apply = kField<"idle_timeout", &ParseDuration>},
    {.name = "on-timeout",
     .value = "WHAT",
     .help = "What happens when its time is over: destroy, stop or pause",
     .example = "stop",
     .completes = Completes::kWords,
     .words = kTimeoutActions,
     .apply = &Into<UpdateOptions, PutTimeoutAction<UpdateOptions>>},
    kJsonOption<UpdateOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only errors",
     .apply = kFlag<UpdateOptions, &UpdateOptions::quiet>},
    kUrlOption<UpdateOptions>,
    kApiKeyFileOption<UpdateOptions>,
    kContextOption<UpdateOptions>,
};

}  // namespace

constinit const Command kUpdateCommand = {
    .name = "update",
    .summary = "Change limits and times of sandboxes, while they run",
    .usage = "[OPTIONS] SANDBOX...",
    .options = kOptions,
    .examples = "cay update --memory 1g --cpus 2 web\n",
    .min_arguments = 1,
    .max_arguments = 10'000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<UpdateOptions, UpdateMain>,
};

}  // namespace cay::cli
