// cay gc: removes what a crash left behind.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"

namespace cay::cli {
namespace {

using engine::GarbageKind;
using engine::GarbageReport;

constexpr Millis kDefaultGrace{24LL * 3600 * 1000};

struct GcOptions {
  bool dry_run = false;
  bool orphans = false;
  std::optional<Millis> older{};
  bool json = false;
  std::string state_dir;
};

// What the engine and the templates gave back.
struct Collected {
  GarbageReport engine;
  uint64_t layers = 0;   // of templates that are no more
  uint64_t volumes = 0;  // that were not finished
};

boost::json::value RemovedJson(const GarbageKind& other) {
  if (const auto* ids = std::get_if<std::vector<std::string>>(&other.removed)) {
    return boost::json::array(ids->begin(), ids->end());
  }
  return other.count();
}

std::string RenderGcJson(const Collected& collected, bool dry_run) {
  const GarbageReport& report = collected.engine;
  boost::json::object object;
  object["dry_run"] = dry_run;
  object["sandboxes"] = boost::json::array(report.sandboxes.begin(), report.sandboxes.end());
  object["orphans"] = boost::json::array(report.orphans.begin(), report.orphans.end());
  object["kept"] = boost::json::array(report.kept.begin(), report.kept.end());
  for (const GarbageKind& other : report.others) object[other.key] = RemovedJson(other);
  object["template_layers"] = collected.layers;
  object["unfinished_volumes"] = collected.volumes;
  object["failures"] = boost::json::array(report.failures.begin(), report.failures.end());
  return boost::json::serialize(object) + "\n";
}

std::string RenderGcText(const Collected& collected, bool dry_run) {
  const GarbageReport& report = collected.engine;
  std::string text;
  std::string_view verb = dry_run ? "would remove " : "removed ";
  for (const std::string& id : report.sandboxes) text.append(verb).append("sandbox " + id + "\n");
  for (const std::string& id : report.orphans)
    text.append(verb).append("orphaned sandbox " + id + "\n");
  for (const GarbageKind& other : report.others) {
    if (const auto* ids = std::get_if<std::vector<std::string>>(&other.removed)) {
      for (const std::string& id : *ids) text.append(verb).append(other.what + " of " + id + "\n");
    } else if (other.count() > 0) {
      text.append(verb).append(other.what + ": " + std::to_string(other.count()) + "\n");
    }
  }
  if (collected.layers > 0) {
    text.append(verb).append("layers of removed templates: ");
    text.append(std::to_string(collected.layers) + "\n");
  }
  if (collected.volumes > 0) {
    text.append(verb).append("unfinished volumes: ");
    text.append(std::to_string(collected.volumes) + "\n");
  }
  for (const std::string& what : report.kept) text.append("kept ").append(what + "\n");
  return text.empty() ? "nothing was left behind\n" : text;
}

Result<int> GcMain(GcOptions& options, Positionals&) {
  if (options.older && !options.orphans) {
    return Failure(Error::Invalid("--older is only for orphaned sandboxes")
                       .WithRemedy("cay gc --orphans --older 24h"));
  }
  const Paths paths = TRY(Paths::Resolve(options.state_dir));
  Collected collected;
  engine::GarbageOptions what{.dry_run = options.dry_run};
  if (options.orphans) what.orphans_older = options.older.value_or(kDefaultGrace);
  const auto survey = TRY(SurveyMachine(paths));
  collected.engine = TRY(survey->CollectGarbage(what));
  // After the sandboxes: a layer stays while the record of one names it.
  templates::TemplateStore store = TRY(OpenLocalTemplates(paths));
  collected.layers = TRY(store.CollectGarbage(options.dry_run));
  volume::VolumeStore volumes = TRY(OpenLocalVolumes(paths));
  collected.volumes = TRY(volumes.CollectGarbage(options.dry_run));
  TRY(Print(options.json ? RenderGcJson(collected, options.dry_run)
                         : RenderGcText(collected, options.dry_run)));
  for (const std::string& failure : collected.engine.failures) Note(failure);
  if (!options.json) NoteElsewhere(*survey);
  return collected.engine.failures.empty() ? 0 : kExitFailure;
}

constexpr OptionSpec kOptions[] = {
    {.name = "dry-run",
     .short_name = 'n',
     .help = "Only say what would be removed",
     .apply = kFlag<GcOptions, &GcOptions::dry_run>},
    {.name = "orphans",
     .help = "Also sandboxes that no server's database has known for some time (cay adopt)",
     .apply = kFlag<GcOptions, &GcOptions::orphans>},
    {.name = "older",
     .value = "TIME",
     .help = "Only those orphaned for at least this long (default 24h)",
     .example = "24h",
     .apply = kParsed<GcOptions, &GcOptions::older, &ParseDuration>},
    kJsonOption<GcOptions>,
    kStateDirOption<GcOptions>,
};

}  // namespace

constinit const Command kGcCommand = {
    .name = "gc",
    .summary = "Remove what a crash left behind",
    .usage = "[OPTIONS]",
    .description =
        "Sandboxes whose owner is gone, with the processes that still run in them, and\n"
        "cgroups, uid ranges and disk images that belong to no sandbox. What is in use is\n"
        "never touched. What is kept although nobody uses it is named, and so is what cannot be\n"
        "read.\n",
    .options = kOptions,
    .examples = "cay gc\ncay gc --dry-run --json\ncay gc --orphans --older 2h\n",
    .run = &ParseAndRun<GcOptions, GcMain>,
};

}  // namespace cay::cli
