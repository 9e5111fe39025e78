// cay adopt: sandboxes that a server's database does not know any more become somebody's again.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct AdoptOptions : ServerOptions {
  std::string owner;
  std::string name;
};

std::string RenderTable(const json::array& orphans) {
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "OWNER", "STATE", "AGE", "ORPHANED", "TEMPLATE", "DAMAGE"}};
  for (const json::value& entry : orphans) {
    const json::object& orphan = entry.get_object();
    rows.push_back({Cell(orphan, "id"), Cell(orphan, "name"), Cell(orphan, "owner"),
                    Cell(orphan, "state"), AgeCell(orphan, "created_at", now),
                    AgeCell(orphan, "orphaned_at", now), Cell(orphan, "template"),
                    Cell(orphan, "damage")});
  }
  return FormatTable(rows);
}

Result<int> ListMain(ApiClient& api, const AdoptOptions& options) {
  const json::object answer = TRY(api.Call("GET", "/api/orphans"));
  if (options.json) {
    TRY(Print(PrettyJson(answer)));
  } else if (options.quiet) {
    std::string text;
    for (const json::value& entry : ArrayOf(answer, "orphans"))
      text += TextOf(entry.get_object(), "id") + "\n";
    TRY(Print(text));
  } else {
    TRY(Print(RenderTable(ArrayOf(answer, "orphans"))));
  }
  return 0;
}

Result<int> AdoptMain(ApiClient& api, AdoptOptions& options, Positionals& rest) {
  if (rest.values.empty()) return ListMain(api, options);
  json::object whose;
  if (!options.owner.empty()) whose["owner"] = options.owner;
  if (!options.name.empty()) whose["name"] = options.name;
  const std::string path = "/api/orphans/" + EncodeComponent(rest.values[0]) + "/adopt";
  const json::object sandbox = TRY(api.Call("POST", path, whose));
  if (options.json) {
    TRY(Print(PrettyJson(sandbox)));
  } else if (!options.quiet) {
    TRY(Print(TextOf(sandbox, "id") + "\n"));
  }
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "owner",
     .value = "NAME",
     .help = "Its owner from now on (default: the one it had, or you)",
     .apply = kText<AdoptOptions, &AdoptOptions::owner>},
    {.name = "name",
     .value = "NAME",
     .help = "Its name from now on (default: the one it had)",
     .apply = kText<AdoptOptions, &AdoptOptions::name>},
    kJsonOption<AdoptOptions>,
    kQuietOption<AdoptOptions>,
    kUrlOption<AdoptOptions>,
    kApiKeyFileOption<AdoptOptions>,
    kContextOption<AdoptOptions>,
};

}  // namespace

constinit const Command kAdoptCommand = {
    .name = "adopt",
    .summary = "Take back sandboxes that the server's database does not know any more",
    .usage = "[OPTIONS] [SANDBOX]",
    .description =
        "After a database was lost, or an older copy put back, sandboxes that it does not know\n"
        "run on as \"orphaned\" (cay ps): nobody can use them, and nothing ends them. Without\n"
        "SANDBOX they are listed; with its id one becomes its owner's again, and its life begins\n"
        "anew. cay gc --orphans removes those that nobody wants.\n",
    .options = kOptions,
    .examples = "cay adopt\ncay adopt b7c0w5d8e1f2g3h4i5j6 --name web\n",
    .max_arguments = 1,
    .run = &ParseAndCall<AdoptOptions, AdoptMain>,
};

}  // namespace cay::cli
