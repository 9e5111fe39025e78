// cay template inspect | df | prune: what templates of this machine, or of a server, are made of,
// what they take on the disk, and the removal of those that nobody uses.
#include "cli/templates/usage_commands.h"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "cli/templates/usage_text.h"
#include "json/field_writer.h"
#include "template/store/template_name.h"
#include "template/usage/usage_fields.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
namespace fields = templates::fields;

using templates::Measured;
using templates::TemplateStore;

constexpr Millis kUnusedFor{7LL * 24 * 3600 * 1000};
constexpr size_t kMaxAnswer = 64;

struct UsageArguments : ServerOptions {
  std::string state_dir;
};

struct PruneArguments : UsageArguments {
  Millis unused_for = kUnusedFor;
  bool dry_run = false;
  bool force = false;
  bool of_owners = false;
};

Result<TemplateStore> OpenStore(const UsageArguments& options) {
  return OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir)));
}

// As the API has it.
template <class List>
Result<json::object> ObjectOfThis(const auto& told) {
  return ParseJsonObject(ObjectJson<List>(told).text());
}

// --- inspect

using Inspect = std::function<Result<json::object>(const std::string& name)>;

Result<int> PrintDetails(const UsageArguments& options, const Positionals& rest,
                         const Inspect& inspect) {
  json::array list;
  std::string text;
  for (const std::string& name : rest.values) {
    const json::object told = TRY(inspect(name));
    json::object details = DetailsForPeople(told);
    if (options.json) {
      list.push_back(std::move(details));
    } else {
      text += (text.empty() ? "" : "\n") + FormatDetails(details, UnixMs());
    }
  }
  TRY(Print(options.json ? PrettyJson(list) : text));
  return 0;
}

Result<int> InspectMain(UsageArguments& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    return FinishCall(*server, PrintDetails(options, rest, [&](const std::string& name) {
      return server->Get(Target(TemplatePath(name)).Add("sizes", "true").text());
    }));
  }
  TemplateStore store = TRY(OpenStore(options));
  return PrintDetails(options, rest, [&](const std::string& name) -> Result<json::object> {
    auto details = TRY(InspectTemplate(store, name));
    const auto told = TRY(TellTemplate(std::move(details), Measured::kYes));
    return ObjectOfThis<fields::TemplateDetails>(told);
  });
}

// --- df

Result<int> PrintUsage(const UsageArguments& options, const Result<json::object>& usage) {
  if (!usage) return Failure(usage.error());
  TRY(Print(options.json ? PrettyJson(*usage) : FormatUsage(*usage, UnixMs())));
  return 0;
}

Result<int> DfMain(UsageArguments& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, PrintUsage(options, server->Get("/api/templates/df")));
  TemplateStore store = TRY(OpenStore(options));
  const templates::ToldUsage told{.usage = TRY(MeasureStore(store)), .sums = true};
  return PrintUsage(options, ObjectOfThis<fields::StoreUsage>(told));
}

// --- prune

Result<bool> Ask(const std::vector<std::string>& unused, Bytes freed) {
  std::string text;
  for (const std::string& name : unused) text += "  " + OneLine(name) + "\n";
  return AskYes("These templates were not used of late:\n" + text + "Remove them, and free " +
                HumanBytes(freed) + "? [y/N] ");
}

bool IsAsked(const PruneArguments& options) {
  return !options.force && !options.dry_run && ::isatty(STDIN_FILENO) == 1 &&
         ::isatty(STDERR_FILENO) == 1;
}

// Nothing: a person said no.
Result<std::optional<json::object>> PruneHere(const PruneArguments& options) {
  TemplateStore store = TRY(OpenStore(options));
  templates::PruneOptions prune{.unused_for = options.unused_for, .dry_run = options.dry_run};
  if (!options.of_owners) {
    prune.spares = [](const std::string& name) {
      return templates::ParseOwnedName(name).has_value();
    };
  }
  bool refused = false;
  if (IsAsked(options)) {
    prune.confirm = [&](const auto& unused, Bytes freed) -> Result<bool> {
      std::vector<std::string> names;
      for (const templates::TemplateUsage& usage : unused) names.push_back(usage.name);
      refused = !TRY(Ask(names, freed));
      return !refused;
    };
  }
  const templates::ToldPrune told{.report = TRY(PruneTemplates(store, prune)),
                                  .dry_run = options.dry_run};
  if (refused) return std::nullopt;
  return TRY(ObjectOfThis<fields::TemplatePruneReport>(told));
}

Result<std::optional<json::object>> PruneThere(ApiClient& api, const PruneArguments& options) {
  const std::string path = "/api/templates/prune";
  json::object request = {{"unused_for", static_cast<double>(options.unused_for.count()) / 1000},
                          {"of_owners", options.of_owners},
                          {"dry_run", true}};
  if (IsAsked(options)) {
    const json::object would = TRY(api.Call("POST", path, request));
    std::vector<std::string> names;
    for (const json::value& name : ArrayOf(would, "removed"))
      if (name.is_string()) names.emplace_back(name.get_string());
    if (names.empty()) return would;
    const Bytes freed = NumberOf<uint64_t>(would, "freed_bytes").value_or(0);
    if (!TRY(Ask(names, freed))) return std::nullopt;
  }
  request["dry_run"] = options.dry_run;
  return TRY(api.Call("POST", path, request));
}

Result<int> PrintPruned(const PruneArguments& options,
                        const Result<std::optional<json::object>>& done) {
  if (!done) return Failure(done.error());
  if (!*done) {
    TRY(Print(options.json
                  ? PrettyJson(json::object{
                        {"dry_run", false}, {"removed", json::array()}, {"freed_bytes", 0}})
                  : "nothing was removed\n"));
    return 1;
  }
  TRY(Print(options.json ? PrettyJson(**done)
                         : FormatPruned(**done, FormatDuration(options.unused_for))));
  return 0;
}

Result<int> PruneMain(PruneArguments& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, PrintPruned(options, PruneThere(*server, options)));
  return PrintPruned(options, PruneHere(options));
}

constexpr OptionSpec kUsageOptions[] = {
    kJsonOption<UsageArguments>,       kStateDirOption<UsageArguments>, kUrlOption<UsageArguments>,
    kApiKeyFileOption<UsageArguments>, kContextOption<UsageArguments>,
};

constexpr OptionSpec kPruneOptions[] = {
    {.name = "unused-for",
     .value = "TIME",
     .help = "Only those that were not used for this long (default 7d)",
     .example = "30d",
     .apply = kParsed<PruneArguments, &PruneArguments::unused_for, ParseDuration>},
    {.name = "owners",
     .help = "Owners' own of a server, too: snapshots, and what was built for them",
     .apply = kFlag<PruneArguments, &PruneArguments::of_owners>},
    {.name = "dry-run",
     .short_name = 'n',
     .help = "Only say what would be removed",
     .apply = kFlag<PruneArguments, &PruneArguments::dry_run>},
    {.name = "force",
     .short_name = 'f',
     .help = "Do not ask, on a terminal either",
     .apply = kFlag<PruneArguments, &PruneArguments::force>},
    kJsonOption<PruneArguments>,
    kStateDirOption<PruneArguments>,
    kUrlOption<PruneArguments>,
    kApiKeyFileOption<PruneArguments>,
    kContextOption<PruneArguments>,
};

}  // namespace

Result<bool> AskYes(const std::string& question) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, question.data(), question.size());
  std::string answer;
  char letter = 0;
  while (answer.size() < kMaxAnswer) {
    const ssize_t got = ::read(STDIN_FILENO, &letter, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || letter == '\n') break;
    answer += letter;
  }
  return answer == "y" || answer == "Y" || answer == "yes";
}

constinit const Command kTemplateInspectCommand = {
    .name = "inspect",
    .summary = "Show what a template is made of, and what its image says",
    .usage = "[OPTIONS] NAME...",
    .options = kUsageOptions,
    .examples = "cay template inspect python:3.12-slim\ncay template inspect --json app\n",
    .min_arguments = 1,
    .max_arguments = 100,
    .completes = Completes::kTemplates,
    .run = &ParseAndAct<UsageArguments, InspectMain>,
};

constinit const Command kTemplateDfCommand = {
    .name = "df",
    .summary = "Show what templates take on the disk, their own and what they share",
    .usage = "[OPTIONS]",
    .options = kUsageOptions,
    .examples = "cay template df\ncay template df --json\n",
    .run = &ParseAndAct<UsageArguments, DfMain>,
};

constinit const Command kTemplatePruneCommand = {
    .name = "prune",
    .summary = "Remove templates that were not used of late",
    .usage = "[OPTIONS]",
    .description =
        "Templates that sandboxes stand on stay. When a template was last used is known to within "
        "an hour.\n"
        "Owners' own templates stay, unless it is said. A server wants a key of scope admin.\n"
        "On a terminal it asks before it removes anything.\n",
    .options = kPruneOptions,
    .examples = "cay template prune --dry-run\ncay template prune --unused-for 30d -f\n",
    .run = &ParseAndAct<PruneArguments, PruneMain>,
};

}  // namespace cay::cli
