// cay template inspect | df | prune: what templates of this machine are made of, what they take on
// the disk, and the removal of those that nobody uses.
#include "cli/templates/usage_commands.h"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "json/field_writer.h"
#include "json/json_writer.h"
#include "template/oci/image_config.h"
#include "template/usage/template_usage.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

using templates::LayerDetails;
using templates::StoreUsage;
using templates::TemplateDetails;
using templates::TemplateStore;
using templates::TemplateUsage;

constexpr Millis kUnusedFor{7LL * 24 * 3600 * 1000};
constexpr size_t kMaxAnswer = 64;

struct UsageArguments : ServerOptions {
  std::string state_dir;
};

struct PruneArguments : UsageArguments {
  Millis unused_for = kUnusedFor;
  bool dry_run = false;
  bool force = false;
};

Result<TemplateStore> OpenStore(const UsageArguments& options) {
  TRY(CheckNoServer(options.connection, options.state_dir));
  return OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir)));
}

// As the API writes times.
json::value Time(int64_t unix_ms) {
  JsonWriter writer;
  WriteTime(writer, unix_ms == 0 ? std::nullopt : std::optional(unix_ms));
  const auto value = ParseJson(writer.text());
  return value ? *value : json::value();
}

int64_t Number(uint64_t value) { return static_cast<int64_t>(value); }

// --- inspect

json::array LayersJson(const TemplateDetails& details) {
  json::array layers;
  for (const LayerDetails& layer : details.layers) {
    layers.push_back(json::object{
        {"id", layer.id},
        {"chain_id", layer.chain_id.empty() ? json::value() : json::value(layer.chain_id)},
        {"disk_bytes", Number(layer.disk)},
        {"templates", Number(layer.templates)},
        {"of_cay", layer.is_cays_own}});
  }
  return layers;
}

Result<json::object> DetailsJson(const TemplateDetails& details) {
  const templates::TemplateInfo& info = details.metadata.info;
  json::object object{{"name", info.name},
                      {"source", info.source},
                      {"size", Number(info.size)},
                      {"entries", Number(info.entries)},
                      {"user", info.user},
                      {"digest", info.digest},
                      {"imported_at", Time(info.imported_unix_ms)},
                      {"last_used_at", Time(details.last_used_unix_ms)},
                      {"notes", templates::DescribeNotes(info.notes)},
                      {"layers", LayersJson(details)},
                      {"reference", nullptr},
                      {"image", nullptr}};
  if (const auto& image = details.metadata.image) {
    object["reference"] = image->reference;
    object["image"] = TRY(ParseJson(TRY(templates::oci::EncodeImageConfig(image->config))));
  }
  return object;
}

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void AddLine(std::string& text, std::string_view what, const std::string& value) {
  if (value.empty()) return;
  std::string line(what);
  line.resize(12, ' ');
  text += line + OneLine(value) + "\n";
}

void AddImage(std::string& text, const templates::ImageOrigin& image) {
  const templates::oci::ProcessConfig& process = image.config.process;
  AddLine(text, "image", image.reference);
  AddLine(text, "digest", image.digest);
  AddLine(text, "platform", image.config.platform.Text());
  AddLine(text, "created", image.config.created);
  AddLine(text, "user", process.user.empty() ? "root" : process.user);
  AddLine(text, "workdir", process.working_dir.empty() ? "/" : process.working_dir);
  AddLine(text, "entrypoint", Words(process.entrypoint));
  AddLine(text, "command", Words(process.cmd));
  for (const std::string& volume : process.volumes) AddLine(text, "volume", volume);
  for (const auto& port : process.exposed_ports) AddLine(text, "exposes", port.Text());
  AddLine(text, "stop signal", process.stop_signal);
  if (process.healthcheck) AddLine(text, "healthcheck", Words(process.healthcheck->test));
  for (const std::string& variable : process.env) AddLine(text, "env", variable);
  for (const auto& [name, value] : process.labels) AddLine(text, "label", name + "=" + value);
}

std::string DetailsText(const TemplateDetails& details) {
  const templates::TemplateInfo& info = details.metadata.info;
  const int64_t now = UnixMs();
  std::string text;
  AddLine(text, "name", info.name);
  AddLine(text, "source", info.source);
  if (details.metadata.image) {
    AddImage(text, *details.metadata.image);
  } else {
    AddLine(text, "user", info.user);
  }
  AddLine(text, "size", HumanBytes(info.size) + " in " + std::to_string(info.entries) + " entries");
  AddLine(text, "imported", FormatAge(now - info.imported_unix_ms) + " ago");
  AddLine(text, "last used", FormatAge(now - details.last_used_unix_ms) + " ago");
  AddLine(text, "notes", templates::DescribeNotes(info.notes));
  std::vector<std::vector<std::string>> rows = {{"LAYER", "DISK", "TEMPLATES", "CONTENT"}};
  for (const LayerDetails& layer : details.layers) {
    rows.push_back({layer.id, HumanBytes(layer.disk), std::to_string(layer.templates),
                    layer.is_cays_own ? "of Cay: what every sandbox needs"
                    : layer.chain_id.empty()
                        ? (details.metadata.image ? "made here" : "the root filesystem")
                        : layer.chain_id});
  }
  return text + "\n" + FormatTable(rows);
}

Result<int> InspectMain(UsageArguments& options, Positionals& rest) {
  TemplateStore store = TRY(OpenStore(options));
  json::array list;
  std::string text;
  for (const std::string& name : rest.values) {
    const TemplateDetails details = TRY(InspectTemplate(store, name));
    if (options.json) {
      list.push_back(TRY(DetailsJson(details)));
    } else {
      text += (text.empty() ? "" : "\n") + DetailsText(details);
    }
  }
  TRY(Print(options.json ? PrettyJson(list) : text));
  return 0;
}

// --- df

json::object UsageJson(const TemplateUsage& usage) {
  return {{"name", usage.name},
          {"own_bytes", Number(usage.own)},
          {"shared_bytes", Number(usage.shared)},
          {"layers", Number(usage.layers)},
          {"last_used_at", Time(usage.last_used_unix_ms)},
          {"in_use", usage.in_use}};
}

Result<int> DfMain(UsageArguments& options, Positionals&) {
  TemplateStore store = TRY(OpenStore(options));
  const StoreUsage usage = TRY(MeasureStore(store));
  if (options.json) {
    json::array list;
    for (const TemplateUsage& each : usage.templates) list.push_back(UsageJson(each));
    TRY(Print(PrettyJson(json::object{{"templates", std::move(list)},
                                      {"layers_bytes", Number(usage.layers)},
                                      {"unneeded_bytes", Number(usage.unneeded)},
                                      {"fetched_bytes", Number(usage.blobs)},
                                      {"total_bytes", Number(usage.total)}})));
    return 0;
  }
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "OWN", "SHARED", "LAYERS", "USED", "IN USE"}};
  for (const TemplateUsage& each : usage.templates) {
    rows.push_back({each.name, HumanBytes(each.own), HumanBytes(each.shared),
                    std::to_string(each.layers), FormatAge(now - each.last_used_unix_ms),
                    each.in_use ? "yes" : "-"});
  }
  std::string text = FormatTable(rows);
  text += "\nlayers: " + HumanBytes(usage.layers);
  if (usage.unneeded > 0) text += ", of which no template needs " + HumanBytes(usage.unneeded);
  text += "; fetched and not unpacked: " + HumanBytes(usage.blobs) +
          "; together: " + HumanBytes(usage.total) + "\n";
  TRY(Print(text));
  return 0;
}

// --- prune

Result<bool> Ask(const std::vector<TemplateUsage>& unused, Bytes freed) {
  std::string text;
  for (const TemplateUsage& usage : unused) text += "  " + OneLine(usage.name) + "\n";
  return AskYes("These templates were not used of late:\n" + text + "Remove them, and free " +
                HumanBytes(freed) + "? [y/N] ");
}

Result<int> PruneMain(PruneArguments& options, Positionals&) {
  TemplateStore store = TRY(OpenStore(options));
  templates::PruneOptions prune{.unused_for = options.unused_for, .dry_run = options.dry_run};
  bool refused = false;
  if (!options.force && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) {
    prune.confirm = [&](const auto& unused, Bytes freed) -> Result<bool> {
      const auto yes = Ask(unused, freed);
      refused = yes && !*yes;
      return yes;
    };
  }
  const templates::PruneReport report = TRY(PruneTemplates(store, prune));
  if (options.json) {
    TRY(Print(PrettyJson(
        json::object{{"dry_run", options.dry_run},
                     {"removed", json::array(report.removed.begin(), report.removed.end())},
                     {"freed_bytes", Number(report.freed)}})));
    return refused ? 1 : 0;
  }
  if (refused) {
    TRY(Print("nothing was removed\n"));
    return 1;
  }
  std::string text;
  for (const std::string& name : report.removed)
    text += (options.dry_run ? "would remove " : "removed ") + name + "\n";
  if (report.removed.empty()) {
    text = "no template is unused for " + FormatDuration(options.unused_for) + "\n";
  } else {
    text += (options.dry_run ? "would free " : "freed ") + HumanBytes(report.freed) + "\n";
  }
  TRY(Print(text));
  return 0;
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
        "On a terminal it asks before it removes anything.\n",
    .options = kPruneOptions,
    .examples = "cay template prune --dry-run\ncay template prune --unused-for 30d -f\n",
    .run = &ParseAndAct<PruneArguments, PruneMain>,
};

}  // namespace cay::cli
