// cay ls, cay inspect: the server's sandboxes.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/object_template.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct InspectOptions : ServerOptions {
  std::optional<ObjectTemplate> format;
};

struct ListOptions : InspectOptions {
  Target target{"/api/sandboxes"};
  // What the server does not look for: parts of names and ids. Of several one is enough, as with
  // docker.
  std::vector<std::string> name_parts;
  std::vector<std::string> id_parts;
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

constexpr std::string_view kStates = "creating running paused stopped failed";

Result<void> FilterByState(ListOptions& options, std::string_view value) {
  TRY(CheckWord(value, kStates));
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

Result<void> FilterByOwner(ListOptions& options, std::string_view value) {
  options.target = std::move(options.target).Add("owner", value);
  return {};
}

// docker's: --filter KEY=VALUE.
Result<void> Filter(ListOptions& options, std::string_view value) {
  const size_t equals = std::min(value.find('='), value.size());
  const std::string_view key = value.substr(0, equals);
  const std::string_view wanted = value.substr(std::min(equals + 1, value.size()));
  if (wanted.empty()) {
    return Failure(Error::Invalid("\"" + std::string(value) + "\" is not KEY=VALUE"));
  }
  if (key == "label") return FilterByLabel(options, wanted);
  if (key == "state" || key == "status") return FilterByState(options, wanted);
  if (key == "template" || key == "ancestor") return FilterByTemplate(options, wanted);
  if (key == "owner") return FilterByOwner(options, wanted);
  if (key == "project") return FilterByProject(options, wanted);
  if (key != "name" && key != "id") {
    return Failure(
        Error::Invalid("\"" + std::string(key) +
                       "\" is none of name, id, label, state, template, project, owner"));
  }
  (key == "name" ? options.name_parts : options.id_parts).emplace_back(wanted);
  return {};
}

Result<void> SetFormat(InspectOptions& options, std::string_view value) {
  options.format = TRY(ObjectTemplate::Parse(value));
  return {};
}

bool HasPart(const std::string& text, const std::vector<std::string>& parts) {
  return parts.empty() || std::ranges::any_of(parts, [&](const std::string& part) {
           return text.find(part) != std::string::npos;
         });
}

json::array Wanted(const json::array& sandboxes, const ListOptions& options) {
  json::array wanted;
  for (const json::value& entry : sandboxes) {
    const json::object& sandbox = entry.get_object();
    if (HasPart(TextOf(sandbox, "name"), options.name_parts) &&
        HasPart(TextOf(sandbox, "id"), options.id_parts))
      wanted.push_back(entry);
  }
  return wanted;
}

std::string RenderTable(const json::array& sandboxes) {
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "OWNER", "STATE", "AGE", "EXPIRES", "TEMPLATE", "MEMORY", "CPUS", "RUNNING"}};
  for (const json::value& entry : sandboxes) {
    const json::object& sandbox = entry.get_object();
    rows.push_back({Cell(sandbox, "id"), Cell(sandbox, "name"), Cell(sandbox, "owner"),
                    Cell(sandbox, "state"), AgeCell(sandbox, "created_at", now),
                    UntilCell(sandbox, "expires_at", now), Cell(sandbox, "template"),
                    Cell(sandbox, "memory_limit"), Cell(sandbox, "cpu_limit"),
                    Cell(sandbox, "running_processes")});
  }
  return FormatTable(rows);
}

Result<int> ListMain(ApiClient& api, ListOptions& options, Positionals&) {
  const json::array sandboxes = Wanted(TRY(api.ListSandboxes(options.target.text())), options);
  if (options.format) {
    std::string text;
    for (const json::value& sandbox : sandboxes)
      text += TRY(options.format->Render(sandbox.get_object())) + "\n";
    TRY(Print(text));
  } else if (options.names) {
    std::string names;
    for (const json::value& sandbox : sandboxes) {
      const std::string name = TextOf(sandbox.get_object(), "name");
      names += (name.empty() ? TextOf(sandbox.get_object(), "id") : name) + "\n";
    }
    TRY(Print(names));
  } else if (options.quiet) {
    std::string ids;
    for (const json::value& sandbox : sandboxes) ids += TextOf(sandbox.get_object(), "id") + "\n";
    TRY(Print(ids));
  } else {
    TRY(Print(options.json ? PrettyJson(sandboxes) : RenderTable(sandboxes)));
  }
  return 0;
}

Result<int> InspectMain(ApiClient& api, InspectOptions& options, Positionals& rest) {
  Answers answers({.json = !options.format}, rest.values.size());
  return answers.Finish(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    json::object sandbox = TRY(api.Get(SandboxPath(id)));
    const std::string line = options.format ? TRY(options.format->Render(sandbox)) : "";
    return answers.Add(line, std::move(sandbox));
  }));
}

constexpr std::string_view kFormatHelp =
    "A line for each: text with {{.field}}, {{.field.inside}}, {{json .field}}; or json";

constexpr OptionSpec kListOptions[] = {
    {.name = "filter",
     .short_name = 'f',
     .value = "KEY=VALUE",
     .help = "Only matching ones: name and id by a part of them, label, state, template, project; "
             "repeatable",
     .example = "name=web",
     .apply = &Into<ListOptions, Filter>},
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
    {.name = "owner",
     .value = "NAME",
     .help = "Only those of this owner, for administrators",
     .example = "team-a",
     .apply = &Into<ListOptions, FilterByOwner>},
    {.name = "names",
     .help = "Only the names, of those without one the ids",
     .group = "Output",
     .apply = kFlag<ListOptions, &ListOptions::names>},
    {.name = "format",
     .value = "TEMPLATE",
     .help = kFormatHelp,
     .example = "'{{.id}} {{.name}}'",
     .apply = &Into<ListOptions, SetFormat>},
    kJsonOption<ListOptions>,
    kQuietOption<ListOptions>,
    kUrlOption<ListOptions>,
    kApiKeyFileOption<ListOptions>,
    kContextOption<ListOptions>,
};

constexpr OptionSpec kInspectOptions[] = {
    {.name = "format",
     .short_name = 'f',
     .value = "TEMPLATE",
     .help = kFormatHelp,
     .example = "'{{.state}}'",
     .apply = &Into<InspectOptions, SetFormat>},
    kJsonOption<InspectOptions>,  // it is always JSON; nobody needs to remember that
    kUrlOption<InspectOptions>,
    kApiKeyFileOption<InspectOptions>,
    kContextOption<InspectOptions>,
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
        "cay ls --filter name=web --format '{{.id}}\\t{{.state}}'\n"
        "cay rm -f $(cay ls -q)\n",
    .run = &ParseAndCall<ListOptions, ListMain>,
};

constinit const Command kInspectCommand = {
    .name = "inspect",
    .summary = "Print all that is known of sandboxes, as JSON",
    .usage = "[OPTIONS] SANDBOX...",
    .description = "Of one an object, of several an array of them.\n",
    .options = kInspectOptions,
    .examples = "cay inspect web\ncay inspect -f '{{.state}} {{.metadata.run}}' web\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<InspectOptions, InspectMain>,
};

}  // namespace cay::cli
