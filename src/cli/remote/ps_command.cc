// cay ps: the sandboxes of this machine, under one state directory. With an argument: server_ps.h.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/clock.h"
#include "cli/client/values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_ps.h"

namespace cay::cli {
namespace {

using engine::InventoryEntry;
using engine::SandboxStatus;

int64_t AgeMillis(const SandboxStatus& status) {
  return std::max<int64_t>(0, UnixMs() - status.created_unix_ms);
}

// An ephemeral one without an owner is what a crash left: `cay gc` removes it.
std::string StateOf(const InventoryEntry& row) {
  if (!row.owned && row.status.lifetime == engine::Lifetime::kEphemeral) return "left";
  if (row.status.orphaned_unix_ms) return "orphaned";
  if (!row.status.damage.empty()) return "damaged";
  return std::string(engine::StateName(row.status.state));
}

template <class T>
boost::json::value OrNull(const std::optional<T>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}

std::string RenderPsJson(const std::vector<InventoryEntry>& rows) {
  boost::json::array list;
  for (const InventoryEntry& row : rows) {
    bool persistent = row.status.lifetime == engine::Lifetime::kPersistent;
    list.push_back(
        {{"id", row.status.id.text()},
         {"state", StateOf(row)},
         {"owned", row.owned},
         {"template", OneLine(row.status.label)},
         {"created_unix_ms", row.status.created_unix_ms},
         {"age_ms", AgeMillis(row.status)},
         {"lifetime", persistent ? "persistent" : "ephemeral"},
         {"orphaned_unix_ms", OrNull(row.status.orphaned_unix_ms)},
         {"damage", row.status.damage.empty() ? boost::json::value(nullptr)
                                              : boost::json::value(OneLine(row.status.damage))},
         {"memory", OrNull(row.stats.memory)},
         {"memory_limit", row.status.limits.memory},
         {"pids", OrNull(row.stats.pids)},
         {"pids_limit", row.status.limits.pids}});
  }
  return boost::json::serialize(list) + "\n";
}

std::string RenderPsTable(const std::vector<InventoryEntry>& rows) {
  std::vector<std::vector<std::string>> cells = {
      {"ID", "STATE", "AGE", "TEMPLATE", "MEMORY", "LIMIT", "PIDS"}};
  for (const InventoryEntry& row : rows) {
    // Only --json has it apart: it is what people ask first of a sandbox that does not answer.
    const bool waits = !row.owned && row.status.lifetime == engine::Lifetime::kPersistent &&
                       !row.status.orphaned_unix_ms;
    cells.push_back({row.status.id.text(), StateOf(row) + (waits ? " (no server)" : ""),
                     FormatAge(AgeMillis(row.status)), OneLine(row.status.label),
                     row.stats.memory ? HumanBytes(*row.stats.memory) : "-",
                     FormatBytes(row.status.limits.memory),
                     row.stats.pids ? std::to_string(*row.stats.pids) : "-"});
  }
  return FormatTable(cells);
}

Result<int> LocalPsMain(const PsOptions& options) {
  const Paths paths = TRY(Paths::Resolve(options.state_dir));
  const auto survey = TRY(SurveyMachine(paths));
  const std::vector<InventoryEntry> rows = TRY(survey->TakeInventory());
  if (options.quiet) {
    std::string text;
    for (const InventoryEntry& row : rows) text += row.status.id.text() + "\n";
    TRY(Print(text));
  } else {
    TRY(Print(options.json ? RenderPsJson(rows) : RenderPsTable(rows)));
    if (!options.json) NoteElsewhere(*survey);
  }
  return 0;
}

Result<int> PsMain(PsOptions& options, Positionals& rest) {
  const bool names_server = !options.connection.url.empty() || !options.connection.context.empty();
  if (rest.values.empty() && names_server) {
    return Failure(Error::Invalid("a server's sandboxes are listed by cay ls")
                       .WithRemedy("cay ls, or cay ps SANDBOX for the processes of one"));
  }
  if (rest.values.empty()) return LocalPsMain(options);
  return CallAndReport<PsOptions, ServerPsMain>(options, rest);
}

constexpr OptionSpec kOptions[] = {
    kJsonOption<PsOptions>, kQuietOption<PsOptions>,      kStateDirOption<PsOptions>,
    kUrlOption<PsOptions>,  kApiKeyFileOption<PsOptions>, kContextOption<PsOptions>,
};

}  // namespace

constinit const Command kPsCommand = {
    .name = "ps",
    .summary = "List the sandboxes of this machine, or the processes of a server's sandbox",
    .usage = "[OPTIONS] [SANDBOX]",
    .description =
        "Without SANDBOX it lists the sandboxes of this machine, whatever made them. \"left\" is\n"
        "what a crash left behind: cay gc removes it. \"orphaned\" is a sandbox that a server's\n"
        "database does not know any more: it is kept until cay adopt or cay gc --orphans. The\n"
        "record of a \"damaged\" one cannot be read: --json says why. \"(no server)\" marks those\n"
        "of a server that does not run: it takes them over when it starts. As root, sandboxes "
        "that\n"
        "run under other state directories, also under one that is gone, are named on standard\n"
        "error.\n",
    .options = kOptions,
    .examples =
        "cay ps\ncay ps --json\ncay ps web     # of the server's sandbox web: its processes\n",
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndRun<PsOptions, PsMain>,
};

}  // namespace cay::cli
