// cay config check | show.
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/frame/remedy_words.h"
#include "cli/serve/serve_command.h"
#include "json/json_writer.h"

namespace cay::cli {
namespace {

Result<int> CheckMain(ConfigArguments& arguments, Positionals& rest) {
  if (!rest.values.empty()) arguments.sources.file = rest.values[0];
  const config::LoadResult result = config::LoadAndExplain(arguments.sources);
  for (const Error& problem : result.problems) Note(problem.ToString(CommandFor));
  if (!result.problems.empty()) return kExitFailure;
  const std::string& file = result.loaded.file;
  TRY(Print((file.empty() ? "no configuration file" : file) + ": good\n"));
  return 0;
}

std::string RenderJson(const config::Loaded& loaded) {
  JsonWriter json;
  json.BeginObject().Key("file");
  if (loaded.file.empty()) {
    json.Null();
  } else {
    json.Value(loaded.file);
  }
  json.Key("keys").BeginObject();
  for (const config::Key& key : config::Keys()) {
    json.Key(key.name).BeginObject().Key("value");
    const config::Values values = key.show(loaded.config);
    if (key.list) {
      json.BeginArray();
      for (const std::string& value : values) json.Value(value);
      json.EndArray();
    } else {
      json.Value(values[0]);
    }
    json.Member("origin", loaded.origins.at(std::string(key.name)));
    json.Member("reloads", key.reloads).EndObject();
  }
  json.EndObject().EndObject();
  return std::move(json).Take() + "\n";
}

Result<int> ShowMain(ConfigArguments& arguments, Positionals&) {
  const config::Loaded loaded = TRY(config::LoadConfig(arguments.sources));
  TRY(Print(arguments.json ? RenderJson(loaded) : config::RenderToml(loaded)));
  return 0;
}

constexpr OptionSpec kShowOptions[] = {
    kConfigOption,
    kSetOption,
    kJsonOption<ConfigArguments>,
};
constexpr OptionSpec kCheckOptions[] = {kSetOption};

constinit const Command kCheck = {
    .name = "check",
    .summary = "Say everything that is wrong with a configuration",
    .usage = "[OPTIONS] [FILE]",
    .options = kCheckOptions,
    .examples = "cay config check\ncay config check ./cay.toml\n",
    .max_arguments = 1,
    .completes = Completes::kFiles,
    .run = &ParseAndRun<ConfigArguments, CheckMain>,
};

constinit const Command kShow = {
    .name = "show",
    .summary = "Show every key, its value, and where that comes from",
    .usage = "[OPTIONS]",
    .options = kShowOptions,
    .examples = "cay config show\ncay config show --config ./cay.toml --json\n",
    .run = &ParseAndRun<ConfigArguments, ShowMain>,
};

constexpr const Command* kSubcommands[] = {&kCheck, &kShow};

}  // namespace

constinit const Command kConfigCommand = {
    .name = "config",
    .summary = "Check and show the server's configuration",
    .usage = "COMMAND",
    .examples = "cay config check ./cay.toml\ncay config show\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
