// cay system df | prune: what everything takes on the disk, and the removal of what can be made
// again: of this machine, or of a server when one is named (as cay template has it).
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
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
#include "cli/templates/usage_commands.h"
#include "json/field_writer.h"
#include "template/space/space_fields.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
namespace fields = templates::fields;
using templates::CollectReport;
using templates::SpaceReport;
using templates::TemplateStore;

struct DfArguments : ServerOptions {
  std::string state_dir;
  bool verbose = false;
};

struct PruneArguments : ServerOptions {
  std::string state_dir;
  templates::PruneSpec spec;
  bool force = false;
};

Result<TemplateStore> OpenStore(const std::string& state_dir) {
  return OpenLocalTemplates(TRY(Paths::Resolve(state_dir)));
}

// --- df

// "shared layers" of "shared_layers".
std::string KindCell(const json::object& row) {
  std::string kind = Cell(row, "kind");
  for (char& c : kind)
    if (c == '_') c = ' ';
  return kind;
}

Bytes BytesOf(const json::object& object, std::string_view name) {
  return NumberOf<Bytes>(object, name).value_or(0);
}

std::string ItemsText(const json::object& row) {
  const json::array& items = ArrayOf(row, "items");
  if (items.empty()) return {};
  std::vector<std::vector<std::string>> rows = {
      {KindCell(row), "SIZE", "USED", "IN USE", "RECLAIMABLE"}};
  for (const json::value& entry : items) {
    if (!entry.is_object()) continue;
    const json::object& item = entry.get_object();
    rows.push_back({"  " + Cell(item, "name"), HumanBytes(BytesOf(item, "disk_bytes")),
                    AgeCell(item, "last_used_at", UnixMs()), FlagOf(item, "in_use") ? "yes" : "-",
                    FlagOf(item, "reclaimable") ? "yes" : "-"});
  }
  return "\n" + FormatTable(rows);
}

std::string SpaceText(const json::object& space) {
  std::vector<std::vector<std::string>> rows = {{"KIND", "COUNT", "IN USE", "SIZE", "RECLAIMABLE"}};
  std::string items;
  for (const json::value& entry : ArrayOf(space, "rows")) {
    if (!entry.is_object()) continue;
    const json::object& row = entry.get_object();
    rows.push_back({KindCell(row), Cell(row, "count"), Cell(row, "in_use"),
                    HumanBytes(BytesOf(row, "disk_bytes")),
                    HumanBytes(BytesOf(row, "reclaimable_bytes"))});
    items += ItemsText(row);
  }
  const Bytes budget = BytesOf(space, "budget_bytes");
  std::string text = FormatTable(rows);
  text += "\nbudget: " + HumanBytes(BytesOf(space, "used_bytes"));
  text += budget > 0 ? " of " + HumanBytes(budget) + " used" : " used, of no budget";
  text +=
      ", without scratch; of it reclaimable: " + HumanBytes(BytesOf(space, "reclaimable_bytes")) +
      "\ndisk: " + HumanBytes(BytesOf(space, "disk_free")) + " of " +
      HumanBytes(BytesOf(space, "disk_size")) + " free\n";
  return text + items;
}

Result<json::object> SpaceHere(const DfArguments& options) {
  const TemplateStore store = TRY(OpenStore(options.state_dir));
  SpaceReport report = TRY(MeasureSpace(store));
  if (!options.verbose)
    for (templates::SpaceRow& row : report.rows) row.items.clear();
  return ParseJsonObject(ObjectJson<fields::Space>(report).text());
}

Result<int> PrintSpace(const DfArguments& options, const json::object& space) {
  TRY(Print(options.json ? PrettyJson(space) : SpaceText(space)));
  return 0;
}

Result<int> DfOfServer(ApiClient& api, const DfArguments& options) {
  const std::string target =
      std::string("/api/system/df") + (options.verbose ? "?verbose=true" : "");
  return PrintSpace(options, TRY(api.Get(target)));
}

Result<int> DfMain(DfArguments& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, DfOfServer(*server, options));
  return PrintSpace(options, TRY(SpaceHere(options)));
}

// --- prune

std::string Words(const PruneArguments& options) {
  std::string text = "what can be made again or is nobody's";
  if (options.spec.all) text += ", and templates that nobody uses";
  if (options.spec.older_than > Millis(0))
    text += ", unused for " + FormatDuration(options.spec.older_than);
  return text;
}

// With the names of what would go, where they are known.
Result<bool> Confirm(const PruneArguments& options, const std::string& names,
                     const std::string& freed) {
  return AskYes("Of " + Words(options) + ":\n" + names + "Remove it, and free " + freed +
                "? [y/N] ");
}

bool IsAsked(const PruneArguments& options) {
  return !options.force && !options.spec.dry_run && ::isatty(STDIN_FILENO) == 1 &&
         ::isatty(STDERR_FILENO) == 1;
}

Result<int> PrintPruned(const PruneArguments& options, const json::object& report) {
  if (options.json) {
    TRY(Print(PrettyJson(report)));
    return 0;
  }
  const json::array& removed = ArrayOf(report, "removed");
  std::string text;
  for (const json::value& entry : removed) {
    if (!entry.is_object()) continue;
    const json::object& item = entry.get_object();
    text += (options.spec.dry_run ? "would remove " : "removed ") + KindCell(item) + ": " +
            Cell(item, "name") + ", " + HumanBytes(BytesOf(item, "disk_bytes")) + "\n";
  }
  if (removed.empty()) {
    text = "nothing is there of " + Words(options) + "\n";
  } else {
    text += (options.spec.dry_run ? "would free " : "freed ") +
            HumanBytes(BytesOf(report, "freed_bytes")) + "\n";
  }
  TRY(Print(text));
  return 0;
}

Result<int> Refused() {
  TRY(Print("nothing was removed\n"));
  return 1;
}

Result<int> PruneHere(const PruneArguments& options) {
  TemplateStore store = TRY(OpenStore(options.state_dir));
  templates::CollectOptions collect = OptionsOf(options.spec);
  if (IsAsked(options)) {
    collect.confirm = [&](const std::vector<templates::SpaceItem>& going, Bytes freed) {
      std::string names;
      for (const templates::SpaceItem& item : going) names += "  " + OneLine(item.name) + "\n";
      return Confirm(options, names, HumanBytes(freed));
    };
  }
  const CollectReport report = TRY(CollectSpace(store, collect));
  if (report.refused) return Refused();
  const JsonWriter writer = ObjectJson<fields::PruneReport>(report);
  return PrintPruned(options, TRY(ParseJsonObject(writer.text())));
}

Result<int> PruneOfServer(ApiClient& api, const PruneArguments& options) {
  json::object request{{"all", options.spec.all}, {"dry_run", options.spec.dry_run}};
  if (options.spec.older_than > Millis(0))
    request["older_than"] = FormatDuration(options.spec.older_than);
  if (IsAsked(options)) {
    json::object look = request;
    look["dry_run"] = true;
    const json::object would = TRY(api.Call("POST", "/api/system/prune", look));
    std::string names;
    for (const json::value& entry : ArrayOf(would, "removed"))
      if (entry.is_object()) names += "  " + Cell(entry.get_object(), "name") + "\n";
    if (names.empty()) return PrintPruned(options, would);
    if (!TRY(Confirm(options, names, HumanBytes(BytesOf(would, "freed_bytes"))))) return Refused();
  }
  return PrintPruned(options, TRY(api.Call("POST", "/api/system/prune", request)));
}

Result<int> PruneMain(PruneArguments& options, Positionals&) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, PruneOfServer(*server, options));
  return PruneHere(options);
}

Result<void> SetAll(PruneArguments& o, std::string_view) {
  o.spec.all = true;
  return {};
}

Result<void> SetDryRun(PruneArguments& o, std::string_view) {
  o.spec.dry_run = true;
  return {};
}

Result<void> SetOlderThan(PruneArguments& o, std::string_view value) {
  o.spec.older_than = TRY(ParseDuration(value));
  return {};
}

constexpr OptionSpec kDfOptions[] = {
    {.name = "verbose",
     .short_name = 'v',
     .help = "Each of them by name, the largest first",
     .apply = kFlag<DfArguments, &DfArguments::verbose>},
    kJsonOption<DfArguments>,
    kStateDirOption<DfArguments>,
    kUrlOption<DfArguments>,
    kApiKeyFileOption<DfArguments>,
    kContextOption<DfArguments>,
};

constexpr OptionSpec kPruneOptions[] = {
    {.name = "all",
     .short_name = 'a',
     .help = "Also templates that were made by hand, and that nobody uses",
     .apply = &Into<PruneArguments, &SetAll>},
    {.name = "older-than",
     .value = "TIME",
     .help = "Only what was not used for this long",
     .example = "30d",
     .apply = &Into<PruneArguments, &SetOlderThan>},
    {.name = "dry-run",
     .short_name = 'n',
     .help = "Only say what would be removed",
     .apply = &Into<PruneArguments, &SetDryRun>},
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

constinit const Command kSystemDfCommand = {
    .name = "df",
    .summary = "Show what everything takes on the disk, and what of it can go",
    .usage = "[OPTIONS]",
    .description =
        "Sizes are blocks on the disk, each layer once. Reclaimable is what prune removes: what "
        "can\n"
        "be made again, or is nobody's.\n",
    .options = kDfOptions,
    .examples = "cay system df\ncay system df -v\ncay system df --json\n",
    .run = &ParseAndAct<DfArguments, DfMain>,
};

constinit const Command kSystemPruneCommand = {
    .name = "prune",
    .summary = "Remove what can be made again or is nobody's",
    .usage = "[OPTIONS]",
    .description =
        "What builds keep for later ones, parts of downloads, layers that nobody has, and "
        "templates\n"
        "that came because something stood on them. Never what a sandbox, a build or a pull uses,\n"
        "and never snapshots or volumes. On a terminal it asks before it removes anything.\n",
    .options = kPruneOptions,
    .examples =
        "cay system prune --dry-run\ncay system prune --older-than 30d -f\n"
        "cay system prune --all\n",
    .run = &ParseAndAct<PruneArguments, PruneMain>,
};

}  // namespace cay::cli
