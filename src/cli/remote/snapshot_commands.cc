// cay snapshot | snapshots | restore: what sandboxes of a server wrote, kept for later.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <map>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct TakeOptions : ServerOptions {
  bool replace = false;
};

struct ListOptions : ServerOptions {
  bool tree = false;
};

std::string SnapshotPath(std::string_view name) {
  return "/api/snapshots/" + EncodeComponent(name);
}

Result<int> TakeMain(ApiClient& api, TakeOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  json::object request{{"name", rest.values[1]}};
  if (options.replace) request["replace"] = true;
  json::object made = TRY(api.Call("POST", SandboxPath(id, "/snapshots"), request));
  const std::string notes = TextOf(made, "notes");
  Answers answers({.json = options.json, .quiet = options.quiet}, 1);
  const std::string name = Cell(made, "name");
  TRY(answers.Add(name, std::move(made)));
  if (!notes.empty() && !options.quiet) Note(notes);
  return answers.Finish(0);
}

Result<int> RestoreMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  Answers answers({.json = options.json, .quiet = options.quiet}, 1);
  TRY(answers.Add(id, TRY(api.Call("POST", SandboxPath(id, "/restore"),
                                   json::object{{"snapshot", rest.values[1]}}))));
  return answers.Finish(0);
}

using Rows = std::vector<std::vector<std::string>>;

void AddRow(Rows& rows, const json::object& snapshot, size_t depth) {
  rows.push_back({std::string(2 * depth, ' ') + Cell(snapshot, "name"),
                  BytesCell(snapshot, "written"), AgeCell(snapshot, "imported_at", UnixMs()),
                  Cell(snapshot, "parent"), Cell(snapshot, "sandbox")});
}

// Each below the one that its sandbox was made from. Of a damaged list nothing is shown twice.
class Tree {
 public:
  explicit Tree(const json::array& snapshots) {
    for (const json::value& entry : snapshots) {
      if (!entry.is_object()) continue;
      const json::object& snapshot = entry.get_object();
      known_.emplace(TextOf(snapshot, "name"), &snapshot);
      children_.emplace(TextOf(snapshot, "parent"), &snapshot);
    }
  }
  void AddTo(Rows& rows) {
    for (const auto& [name, snapshot] : known_)
      if (!known_.contains(TextOf(*snapshot, "parent"))) Add(rows, *snapshot, 0);
  }

 private:
  void Add(Rows& rows, const json::object& root, size_t root_depth) {
    std::vector<std::pair<const json::object*, size_t>> waiting = {{&root, root_depth}};
    while (!waiting.empty()) {
      const auto [snapshot, depth] = waiting.back();
      waiting.pop_back();
      AddRow(rows, *snapshot, depth);
      const auto [first, last] = children_.equal_range(TextOf(*snapshot, "name"));
      for (auto child = first; child != last; ++child)
        waiting.emplace_back(child->second, depth + 1);
      children_.erase(first, last);
    }
  }

  std::map<std::string, const json::object*> known_;
  std::multimap<std::string, const json::object*> children_;
};

Result<int> ListMain(ApiClient& api, ListOptions& options, Positionals& rest) {
  std::string path = "/api/snapshots";
  if (!rest.values.empty())
    path = SandboxPath(TRY(api.ResolveSandbox(rest.values[0])), "/snapshots");
  const json::object answer = TRY(api.Get(path));
  const json::array snapshots = ArrayOf(answer, "templates");
  if (options.json) {
    TRY(Print(PrettyJson(snapshots)));
    return 0;
  }
  Rows rows = {{"NAME", "WRITTEN", "AGE", "PARENT", "SANDBOX"}};
  if (options.tree) {
    Tree(snapshots).AddTo(rows);
  } else {
    for (const json::value& entry : snapshots)
      if (entry.is_object()) AddRow(rows, entry.get_object(), 0);
  }
  std::string names;
  for (const json::value& entry : snapshots)
    if (entry.is_object()) names += Cell(entry.get_object(), "name") + "\n";
  TRY(Print(options.quiet ? names : FormatTable(rows)));
  return 0;
}

Result<int> RemoveMain(ApiClient& api, ServerOptions&, Positionals& rest) {
  return ForEach(rest.values, [&](const std::string& name) -> Result<void> {
    TRY(api.Call("DELETE", SnapshotPath(name)));
    return {};
  });
}

constexpr OptionSpec kTakeOptions[] = {
    {.name = "replace",
     .help = "Take the place of a snapshot of that name",
     .apply = kFlag<TakeOptions, &TakeOptions::replace>},
    kJsonOption<TakeOptions>,
    kSilentOption<TakeOptions>,
    kUrlOption<TakeOptions>,
    kApiKeyFileOption<TakeOptions>,
    kContextOption<TakeOptions>,
};

constexpr OptionSpec kRestoreOptions[] = {
    kJsonOption<ServerOptions>,       kSilentOption<ServerOptions>,  kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>, kContextOption<ServerOptions>,
};

constexpr OptionSpec kListOptions[] = {
    {.name = "tree",
     .help = "Show each below the one that its sandbox was made from",
     .apply = kFlag<ListOptions, &ListOptions::tree>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only names",
     .apply = kFlag<ListOptions, &ListOptions::quiet>},
    kJsonOption<ListOptions>,
    kUrlOption<ListOptions>,
    kApiKeyFileOption<ListOptions>,
    kContextOption<ListOptions>,
};

constexpr OptionSpec kRemoveOptions[] = {
    kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>,
    kContextOption<ServerOptions>,
};

constinit const Command kList = {
    .name = "list",
    .summary = "List snapshots, or those of one sandbox",
    .usage = "[OPTIONS] [SANDBOX]",
    .options = kListOptions,
    .examples = "cay snapshots list\ncay snapshots list --tree\ncay snapshots list web\n",
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ListOptions, ListMain>,
};

constinit const Command kRemove = {
    .name = "rm",
    .summary = "Remove snapshots; sandboxes that were made from one go on",
    .usage = "[OPTIONS] NAME...",
    .options = kRemoveOptions,
    .examples = "cay snapshots rm before-upgrade\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = &ParseAndCall<ServerOptions, RemoveMain>,
};

constexpr const Command* kSubcommands[] = {&kList, &kRemove};

}  // namespace

constinit const Command kSnapshotCommand = {
    .name = "snapshot",
    .summary = "Keep what a sandbox wrote, for sandboxes that begin with it",
    .usage = "[OPTIONS] SANDBOX NAME",
    .description =
        "It goes on running. Its files are kept as they are at one moment; its processes are not.\n"
        "Mounts, project files and what is in memory filesystems are not part of it.\n",
    .options = kTakeOptions,
    .examples =
        "cay snapshot web before-upgrade\n"
        "cay create --template before-upgrade --name other\n"
        "cay restore web before-upgrade\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<TakeOptions, TakeMain>,
};

constinit const Command kSnapshotsCommand = {
    .name = "snapshots",
    .summary = "List and remove snapshots of sandboxes",
    .usage = "COMMAND",
    .examples = "cay snapshots list --tree\n",
    .subcommands = kSubcommands,
};

constinit const Command kRestoreCommand = {
    .name = "restore",
    .summary = "Put a sandbox back to one of its snapshots: its processes end",
    .usage = "[OPTIONS] SANDBOX SNAPSHOT",
    .options = kRestoreOptions,
    .examples = "cay restore web before-upgrade\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, RestoreMain>,
};

}  // namespace cay::cli
