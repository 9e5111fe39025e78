// cay context add | use | list | rm: servers by name (client/contexts.h).
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/os/file.h"
#include "cli/client/call.h"
#include "cli/client/contexts.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "http/client/client.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct AddOptions {
  std::string api_key_file;
  bool use = false;
};

struct ListOptions {
  bool json = false;
  bool quiet = false;
};

Result<int> AddMain(AddOptions& options, Positionals& rest) {
  const std::string& name = rest.values[0];
  TRY(CheckContextName(name));
  TRY(http::Url::Parse(rest.values[1]));
  Context context{.url = rest.values[1], .api_key = ""};
  if (!options.api_key_file.empty()) {
    const std::string file = options.api_key_file == "-" ? "/dev/stdin" : options.api_key_file;
    context.api_key = TRY(ParseApiKey(TRY(ReadFile(file, 4096))));
  }
  const std::string path = TRY(ContextsPath(&LookupEnvironment));
  Contexts contexts = TRY(LoadContexts(path));
  contexts.all[name] = std::move(context);
  if (options.use || contexts.current.empty()) contexts.current = name;
  TRY(SaveContexts(path, contexts));
  return 0;
}

Result<int> UseMain(NoOptions&, Positionals& rest) {
  const std::string path = TRY(ContextsPath(&LookupEnvironment));
  Contexts contexts = TRY(LoadContexts(path));
  const std::string& name = rest.values.front();
  if (!contexts.all.contains(name)) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no context " + name)
                       .WithRemedy("see cay context list"));
  }
  contexts.current = name;
  TRY(SaveContexts(path, contexts));
  return 0;
}

Result<int> ListMain(ListOptions& options, Positionals&) {
  const Contexts contexts = TRY(LoadContexts(TRY(ContextsPath(&LookupEnvironment))));
  json::array list;
  std::string names;
  std::vector<std::vector<std::string>> rows = {{"CURRENT", "NAME", "URL", "KEY"}};
  for (const auto& [name, context] : contexts.all) {
    const bool current = name == contexts.current;
    const bool has_key = !context.api_key.empty();
    names += name + "\n";
    list.push_back(
        {{"name", name}, {"url", context.url}, {"current", current}, {"has_key", has_key}});
    rows.push_back({current ? "*" : "", name, OneLine(context.url), has_key ? "yes" : "no"});
  }
  TRY(Print(options.quiet ? names : options.json ? PrettyJson(list) : FormatTable(rows)));
  return 0;
}

Result<int> RemoveMain(NoOptions&, Positionals& rest) {
  const std::string path = TRY(ContextsPath(&LookupEnvironment));
  Contexts contexts = TRY(LoadContexts(path));
  for (const std::string& name : rest.values) {
    if (contexts.all.erase(name) == 0) {
      return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no context " + name)
                         .WithRemedy("see cay context list"));
    }
    if (contexts.current == name) contexts.current.clear();
  }
  TRY(SaveContexts(path, contexts));
  return 0;
}

constexpr OptionSpec kAddOptions[] = {
    {.name = "api-key-file",
     .value = "FILE",
     .help = "Keep the API key that is in FILE (- for standard input) with it",
     .example = "./key",
     .completes = Completes::kFiles,
     .apply = kText<AddOptions, &AddOptions::api_key_file>},
    {.name = "use",
     .help = "Make it the current one (the first that is added is)",
     .apply = kFlag<AddOptions, &AddOptions::use>},
};

constexpr OptionSpec kListOptions[] = {kJsonOption<ListOptions>, kQuietOption<ListOptions>};

constinit const Command kAdd = {
    .name = "add",
    .summary = "Remember a server, and perhaps a key, under a name",
    .usage = "[OPTIONS] NAME URL",
    .options = kAddOptions,
    .examples =
        "cay context add lab http://lab.example:8888 --api-key-file ./key\n"
        "cay context add here unix:/run/cay/cay.sock --use\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = &ParseAndAct<AddOptions, AddMain>,
};

constinit const Command kUse = {
    .name = "use",
    .summary = "Speak to this server from now on, unless told otherwise",
    .usage = "NAME",
    .examples = "cay context use lab\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kContexts,
    .run = &ParseAndAct<NoOptions, UseMain>,
};

constinit const Command kList = {
    .name = "list",
    .summary = "List the servers that are remembered; keys are not shown",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay context list\n",
    .run = &ParseAndAct<ListOptions, ListMain>,
};

constinit const Command kRemove = {
    .name = "rm",
    .summary = "Forget servers, and their keys",
    .usage = "NAME...",
    .examples = "cay context rm lab\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .completes = Completes::kContexts,
    .run = &ParseAndAct<NoOptions, RemoveMain>,
};

constexpr const Command* kSubcommands[] = {&kAdd, &kUse, &kList, &kRemove};

}  // namespace

constinit const Command kContextCommand = {
    .name = "context",
    .summary = "Remember servers and their keys by name",
    .usage = "COMMAND",
    .description =
        "Kept in ~/.config/cay/contexts.json, which only its owner may read. --url, --context and "
        "CAY_URL\n"
        "come before the current context.\n",
    .examples =
        "cay context add lab http://lab.example:8888 --api-key-file ./key\ncay context use lab\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
