// cay keys create | list | revoke: the server's API keys. (Needs one of scope admin, or loopback without keys.)
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct CreateOptions : ServerOptions {
  std::string scope = "use";
  std::string expires_in;
  std::string rate_limit;
  std::string max_sandboxes;
};

Result<int> CreateMain(ApiClient& api, CreateOptions& options, Positionals& rest) {
  json::object request{{"name", rest.values.front()}, {"scope", options.scope}};
  if (!options.expires_in.empty()) request["expires_in"] = options.expires_in;
  if (!options.rate_limit.empty()) request["rate_limit"] = TRY(ParseUnsigned(options.rate_limit));
  if (!options.max_sandboxes.empty()) {
    request["max_sandboxes"] = TRY(ParseUnsigned(options.max_sandboxes));
  }
  const json::object key = TRY(api.Call("POST", "/api/keys", request));
  if (options.json) {
    TRY(Print(PrettyJson(key)));
  } else {
    TRY(Print(Text(key, "key") + "\n"));
    if (!options.quiet)
      Note("this is the only time that the key is shown; its id is " + Text(key, "id"));
  }
  return 0;
}

Result<int> ListMain(ApiClient& api, ServerOptions& options, Positionals&) {
  const json::object answer = TRY(api.Get("/api/keys"));
  const json::array& keys = Array(answer, "keys");
  if (options.json) {
    TRY(Print(PrettyJson(keys)));
    return 0;
  }
  const int64_t now = NowMillis();
  std::string ids;
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "SCOPE", "AGE", "EXPIRES", "USED"}};
  for (const json::value& entry : keys) {
    if (!entry.is_object()) continue;
    const json::object& key = entry.get_object();
    ids += Text(key, "id") + "\n";
    rows.push_back({Cell(key, "id"), Cell(key, "name"), Cell(key, "scope"),
                    AgeCell(key, "created_at", now), UntilCell(key, "expires_at", now),
                    AgeCell(key, "last_used_at", now)});
  }
  TRY(Print(options.quiet ? ids : FormatTable(rows)));
  return 0;
}

Result<int> RevokeMain(ApiClient& api, ServerOptions&, Positionals& rest) {
  for (const std::string& id : rest.values) {
    TRY(api.Call("DELETE", "/api/keys/" + EncodeComponent(id)));
  }
  return 0;
}

constexpr OptionSpec kCreateOptions[] = {
    {.name = "scope",
     .value = "SCOPE",
     .help = "What it may: admin, use or read (default use)",
     .example = "use",
     .completes = Completes::kWords,
     .words = "admin use read",
     .apply = kText<CreateOptions, &CreateOptions::scope>},
    {.name = "expires-in",
     .value = "TIME",
     .help = "No longer than this (default: until it is revoked)",
     .example = "30d",
     .apply = kText<CreateOptions, &CreateOptions::expires_in>},
    {.name = "rate-limit",
     .value = "N",
     .help = "Requests a second",
     .example = "100",
     .apply = kText<CreateOptions, &CreateOptions::rate_limit>},
    {.name = "max-sandboxes",
     .value = "N",
     .help = "Sandboxes at a time",
     .example = "50",
     .apply = kText<CreateOptions, &CreateOptions::max_sandboxes>},
    kJsonOption<CreateOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the key",
     .apply = kFlag<CreateOptions, &CreateOptions::quiet>},
    kUrlOption<CreateOptions>,
    kApiKeyFileOption<CreateOptions>,
    kContextOption<CreateOptions>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<ServerOptions>,       kQuietOption<ServerOptions>,   kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>, kContextOption<ServerOptions>,
};

constexpr OptionSpec kRevokeOptions[] = {
    kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>,
    kContextOption<ServerOptions>,
};

constinit const Command kCreate = {
    .name = "create",
    .summary = "Make an API key, and print it this once",
    .usage = "[OPTIONS] NAME",
    .options = kCreateOptions,
    .examples = "cay keys create ci --scope use --max-sandboxes 50\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndCall<CreateOptions, CreateMain>,
};

constinit const Command kList = {
    .name = "list",
    .summary = "List the server's API keys; what they are is not kept anywhere",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay keys list\n",
    .run = &ParseAndCall<ServerOptions, ListMain>,
};

constinit const Command kRevoke = {
    .name = "revoke",
    .summary = "Make API keys worthless, at once",
    .usage = "[OPTIONS] ID...",
    .options = kRevokeOptions,
    .examples = "cay keys revoke $(cay keys list -q)\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = &ParseAndCall<ServerOptions, RevokeMain>,
};

constexpr const Command* kSubcommands[] = {&kCreate, &kList, &kRevoke};

}  // namespace

constinit const Command kKeysCommand = {
    .name = "keys",
    .summary = "Create, list and revoke API keys",
    .usage = "COMMAND",
    .examples = "cay keys create ci\ncay keys list\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
