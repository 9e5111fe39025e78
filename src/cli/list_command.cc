// cay ls, cay inspect: the server's sandboxes.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct ListOptions : ServerOptions {
  Target target{"/api/sandboxes"};
  bool names = false;
};

Result<void> FilterByLabel(ListOptions& options, std::string_view value) {
  const size_t equals = value.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return Failure(Error::Invalid("\"" + std::string(value) + "\" is not KEY=VALUE"));
  }
  options.target =
      std::move(options.target)
          .Add("metadata." + std::string(value.substr(0, equals)), value.substr(equals + 1));
  return {};
}

Result<void> FilterByState(ListOptions& options, std::string_view value) {
  options.target = std::move(options.target).Add("state", value);
  return {};
}

Result<void> FilterByTemplate(ListOptions& options, std::string_view value) {
  options.target = std::move(options.target).Add("template", value);
  return {};
}

Result<void> FilterByProject(ListOptions& options, std::string_view value) {
  options.target = std::move(options.target).Add("project_name", value);
  return {};
}

std::string RenderTable(const json::array& sandboxes) {
  const int64_t now = NowMillis();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "STATE", "AGE", "EXPIRES", "TEMPLATE", "MEMORY", "CPUS", "RUNNING"}};
  for (const json::value& entry : sandboxes) {
    const json::object& sandbox = entry.get_object();
    rows.push_back({Cell(sandbox, "id"), Cell(sandbox, "name"), Cell(sandbox, "state"),
                    AgeCell(sandbox, "created_at", now), UntilCell(sandbox, "expires_at", now),
                    Cell(sandbox, "template"), Cell(sandbox, "memory_limit"),
                    Cell(sandbox, "cpu_limit"), Cell(sandbox, "running_processes")});
  }
  return FormatTable(rows);
}

Result<int> ListMain(ApiClient& api, ListOptions& options, Positionals&) {
  const json::array sandboxes = TRY(api.ListSandboxes(options.target.text()));
  if (options.names) {
    std::string names;
    for (const json::value& sandbox : sandboxes) {
      const std::string name = Text(sandbox.get_object(), "name");
      names += (name.empty() ? Text(sandbox.get_object(), "id") : name) + "\n";
    }
    TRY(Print(names));
  } else if (options.quiet) {
    std::string ids;
    for (const json::value& sandbox : sandboxes) ids += Text(sandbox.get_object(), "id") + "\n";
    TRY(Print(ids));
  } else {
    TRY(Print(options.json ? PrettyJson(sandboxes) : RenderTable(sandboxes)));
  }
  return 0;
}

Result<int> InspectMain(ApiClient& api, ServerOptions&, Positionals& rest) {
  return ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    return Print(PrettyJson(TRY(api.Get(SandboxPath(id)))));
  });
}

constexpr OptionSpec kListOptions[] = {
    {.name = "state",
     .value = "STATE",
     .help = "Only those in this state",
     .example = "running",
     .completes = Completes::kWords,
     .words = "running paused stopped failed",
     .apply = &Into<ListOptions, FilterByState>},
    {.name = "label",
     .short_name = 'l',
     .value = "KEY=VALUE",
     .help = "Only those with this metadata; repeatable",
     .example = "run=17",
     .apply = &Into<ListOptions, FilterByLabel>},
    {.name = "template",
     .value = "NAME",
     .help = "Only those from this template",
     .example = "host",
     .completes = Completes::kTemplates,
     .apply = &Into<ListOptions, FilterByTemplate>},
    {.name = "project",
     .value = "NAME",
     .help = "Only those of this project",
     .example = "shop",
     .apply = &Into<ListOptions, FilterByProject>},
    {.name = "names",
     .help = "Only the names, of those without one the ids",
     .group = "Output",
     .apply = kFlag<ListOptions, &ListOptions::names>},
    kJsonOption<ListOptions>,
    kQuietOption<ListOptions>,
    kUrlOption<ListOptions>,
    kApiKeyFileOption<ListOptions>,
    kContextOption<ListOptions>,
};

constexpr OptionSpec kInspectOptions[] = {
    kJsonOption<ServerOptions>,  // it is always JSON; nobody needs to remember that
    kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>,
    kContextOption<ServerOptions>,
};

}  // namespace

constinit const Command kListCommand = {
    .name = "ls",
    .summary = "List the server's sandboxes",
    .usage = "[OPTIONS]",
    .description = "Those of this machine, with and without a server: cay ps.\n",
    .options = kListOptions,
    .examples =
        "cay ls\n"
        "cay ls --state running --label run=17\n"
        "cay rm -f $(cay ls -q)\n",
    .run = &ParseAndCall<ListOptions, ListMain>,
};

constinit const Command kInspectCommand = {
    .name = "inspect",
    .summary = "Print all that is known of sandboxes, as JSON",
    .usage = "[OPTIONS] SANDBOX...",
    .options = kInspectOptions,
    .examples = "cay inspect web\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, InspectMain>,
};

}  // namespace cay::cli
