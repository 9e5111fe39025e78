// cay update: limits and times of sandboxes that are there. Values go to the server as they were
// typed.
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/remote/change_options.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct UpdateOptions : ServerOptions {
  json::object request;
  std::optional<AskedNetwork> network;
};

Result<int> UpdateMain(ApiClient& api, UpdateOptions& options, Positionals& rest) {
  if (options.network) options.request["network"] = NetworkObject(*options.network);
  if (options.request.empty()) {
    return Failure(Error::Invalid("no change was given")
                       .WithRemedy("as in cay update --memory 1g " + rest.values.front()));
  }
  Answers answers({.json = options.json, .quiet = options.quiet}, rest.values.size());
  return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    return answers.Add(id, TRY(api.Call("PATCH", SandboxPath(id), options.request)));
  }));
}

constexpr OptionSpec kOptions[] = {
    kMemoryOption<UpdateOptions>,
    kCpusOption<UpdateOptions>,
    kPidsOption<UpdateOptions>,
    kTimeoutOption<UpdateOptions>,
    kIdleTimeoutOption<UpdateOptions>,
    kOnTimeoutOption<UpdateOptions>,
    kServerNetOption<UpdateOptions>,
    kServerAllowOption<UpdateOptions>,
    kServerDenyOption<UpdateOptions>,
    kServerDnsOption<UpdateOptions>,
    kJoinOption<UpdateOptions>,
    kAliasOption<UpdateOptions>,
    kPublishOption<UpdateOptions>,
    kSecretOption<UpdateOptions>,
    InGroup("Output", kJsonOption<UpdateOptions>),
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
    .summary = "Change limits, times and the network of sandboxes, while they run",
    .usage = "[OPTIONS] SANDBOX...",
    .description =
        "The options of the network together replace all that was said of it before; connections\n"
        "that are not allowed any more end.\n",
    .options = kOptions,
    .examples = "cay update --memory 1g --cpus 2 web\ncay update --net none web\n",
    .min_arguments = 1,
    .max_arguments = 10'000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<UpdateOptions, UpdateMain>,
};

}  // namespace cay::cli
