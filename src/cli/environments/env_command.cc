// cay env ls | build | test.
#include <algorithm>
#include <map>

#include "cli/environments/env_options.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "json/json_writer.h"

namespace cay::cli {
namespace {

using templates::Environment;
using templates::TemplateInfo;

using Infos = std::map<std::string, TemplateInfo>;

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void WriteWords(JsonWriter& json, std::string_view name, const std::vector<std::string>& words) {
  json.Key(name).BeginArray();
  for (const std::string& word : words) json.Value(word);
  json.EndArray();
}

Result<void> PrintJson(const std::vector<const Environment*>& list, const Infos& built) {
  JsonWriter json;
  json.BeginArray();
  for (const Environment* one : list) {
    const auto info = built.find(one->name);
    json.BeginObject().Member("name", one->name).Member("summary", one->summary);
    WriteWords(json, "aliases", one->aliases);
    WriteWords(json, "network", one->network);
    WriteWords(json, "needs", one->needs);
    json.Member("built", info != built.end());
    json.Key("size");
    if (info == built.end()) {
      json.Null();
    } else {
      json.Value(info->second.size);
    }
    json.Member("from", one->directory).EndObject();
  }
  json.EndArray();
  return Print(std::move(json).Take() + "\n");
}

Result<int> ListMain(EnvOptions& options, Positionals&) {
  templates::TemplateStore store = TRY(OpenEnvironments(options));
  Infos built;
  for (const auto& kept : TRY(store.ReadAll())) built.emplace(kept->info.name, kept->info);
  std::vector<const Environment*> list;
  for (const Environment& one : store.environments().all()) list.push_back(&one);
  std::ranges::sort(list, {}, [](const Environment* one) { return one->name; });
  if (options.json) {
    TRY(PrintJson(list, built));
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "BUILT", "WHAT", "ALSO"}};
  for (const Environment* one : list) {
    if (options.quiet) {
      TRY(Print(one->name + "\n"));
      continue;
    }
    const auto info = built.find(one->name);
    rows.push_back({one->name, info == built.end() ? "no" : HumanBytes(info->second.size),
                    one->summary, Words(one->aliases)});
  }
  if (!options.quiet) TRY(Print(FormatTable(rows)));
  return 0;
}

constexpr OptionSpec kListOptions[] = {
    kFromOption<EnvOptions>,
    kJsonOption<EnvOptions>,
    kQuietOption<EnvOptions>,
    kStateDirOption<EnvOptions>,
};

constexpr OptionSpec kTestOptions[] = {
    kAllEnvironmentsOption<EnvOptions>,
    kFromOption<EnvOptions>,
    kJsonOption<EnvOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only how many passed",
     .apply = kFlag<EnvOptions, &EnvOptions::quiet>},
    kStateDirOption<EnvOptions>,
};

constinit const Command kLs = {
    .name = "ls",
    .summary = "List environments, and which are built",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay env ls\ncay env ls --json\n",
    .run = &ParseAndRun<EnvOptions, ListMain>,
};

constinit const Command kTest = {
    .name = "test",
    .summary = "Try in fresh sandboxes what environments are to have",
    .usage = "[OPTIONS] NAME...|--all",
    .description =
        "Runs the tests of the recipe, and writes files. --all: all that are built.\n"
        "Exits with 1 when something failed.\n",
    .options = kTestOptions,
    .examples = "cay env test python-3.11\ncay env test --all\n",
    .max_arguments = 1000,
    .completes = Completes::kEnvironments,
    .run = &ParseAndRun<EnvOptions, EnvTestMain>,
};

constexpr const Command* kSubcommands[] = {&kLs, &kEnvBuildCommand, &kTest};

}  // namespace

constinit const Command kEnvCommand = {
    .name = "env",
    .summary = "Environments (python-3.11, node-20, basic, …): list, build and test them",
    .usage = "COMMAND",
    .description =
        "An environment is a template with a recipe: a Dockerfile whose first lines say what it "
        "is.\n"
        "Those of the program are built with one command; --from, or CAY_ENVIRONMENTS_DIRECTORY,\n"
        "names a directory with recipes of your own (NAME.Dockerfile).\n",
    .examples =
        "cay env ls\n"
        "cay env build python-3.11 && cay env test python-3.11\n"
        "cay run --template python-3.11 -- python --version\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
