// cay keys create | list | revoke: the server's API keys. Through its API, which needs one of scope
// admin, or loopback without keys; or with --local in its state directory.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/local/keys_local.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

// Where --local finds the keys.
struct LocalOptions : ServerOptions {
  bool local = false;
  std::string state_dir;
};

struct CreateOptions : LocalOptions {
  std::string owner;
  std::string scope = "use";
  std::string expires_in;
  std::string rate_limit;
  std::string max_sandboxes;
};

Result<int> CreateMain(ApiClient& api, CreateOptions& options, Positionals& rest) {
  json::object request{{"name", rest.values.front()}, {"scope", options.scope}};
  if (!options.owner.empty()) request["owner"] = options.owner;
  if (!options.expires_in.empty()) request["expires_in"] = options.expires_in;
  if (!options.rate_limit.empty()) request["rate_limit"] = TRY(ParseUnsigned(options.rate_limit));
  if (!options.max_sandboxes.empty()) {
    request["max_sandboxes"] = TRY(ParseUnsigned(options.max_sandboxes));
  }
  const json::object key = TRY(api.Call("POST", "/api/keys", request));
  if (options.json) {
    TRY(Print(PrettyJson(key)));
  } else {
    TRY(Print(TextOf(key, "key") + "\n"));
    if (!options.quiet)
      Note("this is the only time that the key is shown; its id is " + TextOf(key, "id"));
  }
  return 0;
}

Result<int> CreateLocally(CreateOptions& options, Positionals& rest) {
  const auto scope = api::ScopeFromName(options.scope);
  if (!scope) {
    return Failure(
        Error::Invalid("--scope: \"" + options.scope + "\" is none of admin, use, read"));
  }
  api::KeySpec spec{.name = rest.values.front(), .owner = options.owner, .scope = *scope};
  if (!options.expires_in.empty()) spec.expires_in = TRY(ParseDuration(options.expires_in));
  if (!options.rate_limit.empty())
    spec.requests_per_second = TRY(ParseUnsigned(options.rate_limit));
  if (!options.max_sandboxes.empty())
    spec.max_sandboxes = TRY(ParseUnsigned(options.max_sandboxes));
  const api::NewKey made = TRY(CreateKeyLocally(options.state_dir, spec));
  if (options.json) {
    TRY(Print(PrettyJson(json::object{{"id", made.key.id},
                                      {"key", made.token},
                                      {"name", made.key.name},
                                      {"owner", made.key.owner},
                                      {"scope", options.scope}})));
    return 0;
  }
  TRY(Print(made.token + "\n"));
  if (!options.quiet) Note("this is the only time that the key is shown; its id is " + made.key.id);
  return 0;
}

Result<int> ListLocally(LocalOptions& options, Positionals&) {
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "OWNER", "SCOPE", "WORKS"}};
  json::array list;
  std::string ids;
  for (const api::ApiKey& key : TRY(ListKeysLocally(options.state_dir))) {
    const std::string scope(api::ScopeName(key.scope));
    const bool works = key.Works(UnixMs());
    if (works) ids += key.id + "\n";
    list.push_back({{"id", key.id},
                    {"name", key.name},
                    {"owner", key.owner},
                    {"scope", scope},
                    {"works", works}});
    rows.push_back({key.id, OneLine(key.name), OneLine(key.owner), scope, works ? "yes" : "no"});
  }
  TRY(Print(options.json ? PrettyJson(list) : options.quiet ? ids : FormatTable(rows)));
  return 0;
}

Result<int> RevokeLocally(LocalOptions& options, Positionals& rest) {
  return ForEach(rest.values,
                 [&](const std::string& id) { return RevokeKeyLocally(options.state_dir, id); });
}

// By the server, or by hand.
template <class Options, Result<int> (*kRemote)(ApiClient&, Options&, Positionals&),
          Result<int> (*kLocal)(Options&, Positionals&)>
Result<int> Either(Options& options, Positionals& rest) {
  if (options.local) return ActAndReport<Options, kLocal>(options, rest);
  if (!options.state_dir.empty()) {
    return Failure(Error::Invalid("--state-dir is only for --local"));
  }
  return CallAndReport<Options, kRemote>(options, rest);
}

Result<int> ListMain(ApiClient& api, LocalOptions& options, Positionals&) {
  const json::object answer = TRY(api.Get("/api/keys"));
  const json::array& keys = ArrayOf(answer, "keys");
  if (options.json) {
    TRY(Print(PrettyJson(keys)));
    return 0;
  }
  const int64_t now = UnixMs();
  std::string ids;
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "OWNER", "SCOPE", "WORKS", "AGE", "EXPIRES", "USED"}};
  for (const json::value& entry : keys) {
    if (!entry.is_object()) continue;
    const json::object& key = entry.get_object();
    if (FlagOf(key, "works")) ids += TextOf(key, "id") + "\n";
    rows.push_back({Cell(key, "id"), Cell(key, "name"), Cell(key, "owner"), Cell(key, "scope"),
                    FlagOf(key, "works") ? "yes" : "no", AgeCell(key, "created_at", now),
                    UntilCell(key, "expires_at", now), AgeCell(key, "last_used_at", now)});
  }
  TRY(Print(options.quiet ? ids : FormatTable(rows)));
  return 0;
}

Result<int> RevokeMain(ApiClient& api, LocalOptions&, Positionals& rest) {
  return ForEach(rest.values, [&](const std::string& id) -> Result<void> {
    TRY(api.Call("DELETE", "/api/keys/" + EncodeComponent(id)));
    return {};
  });
}

template <class Options>
constexpr OptionSpec kLocalOption = {
    .name = "local",
    .help = "In the database of the state directory, without a server",
    .group = "Server",
    .apply = kFlag<Options, &Options::local>};

constexpr OptionSpec kCreateOptions[] = {
    {.name = "owner",
     .value = "NAME",
     .help =
         "Its owner: a person, team or project, new or known (default: one of its own, named by "
         "the key's id)",
     .example = "team-a",
     .apply = kText<CreateOptions, &CreateOptions::owner>},
    {.name = "scope",
     .value = "SCOPE",
     .help = "Its scope: admin, use or read (default use)",
     .example = "use",
     .completes = Completes::kWords,
     .words = "admin use read",
     .apply = kText<CreateOptions, &CreateOptions::scope>},
    {.name = "expires-in",
     .value = "TIME",
     .help = "How long it is valid (default: until it is revoked)",
     .example = "30d",
     .apply = kText<CreateOptions, &CreateOptions::expires_in>},
    {.name = "rate-limit",
     .value = "N",
     .help = "Requests a second",
     .example = "100",
     .apply = kText<CreateOptions, &CreateOptions::rate_limit>},
    {.name = "max-sandboxes",
     .value = "N",
     .help = "Sandboxes of its owner at a time, over all keys (default: unchanged)",
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
    kLocalOption<CreateOptions>,
    kStateDirOption<CreateOptions>,
};

constexpr OptionSpec kListOptions[] = {
    kJsonOption<LocalOptions>,       kQuietOption<LocalOptions>,   kUrlOption<LocalOptions>,
    kApiKeyFileOption<LocalOptions>, kContextOption<LocalOptions>, kLocalOption<LocalOptions>,
    kStateDirOption<LocalOptions>,
};

constexpr OptionSpec kRevokeOptions[] = {
    kUrlOption<LocalOptions>,   kApiKeyFileOption<LocalOptions>, kContextOption<LocalOptions>,
    kLocalOption<LocalOptions>, kStateDirOption<LocalOptions>,
};

constinit const Command kCreate = {
    .name = "create",
    .summary = "Make an API key, and print it this once",
    .usage = "[OPTIONS] NAME",
    .options = kCreateOptions,
    .examples =
        "cay keys create ci --owner team-a --max-sandboxes 50\n"
        "cay keys create --local --scope admin ops   # before a first start in public\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndRun<CreateOptions, Either<CreateOptions, CreateMain, CreateLocally>>,
};

constinit const Command kList = {
    .name = "list",
    .summary = "List the server's API keys (the keys themselves are kept nowhere)",
    .usage = "[OPTIONS]",
    .options = kListOptions,
    .examples = "cay keys list\n",
    .run = &ParseAndRun<LocalOptions, Either<LocalOptions, ListMain, ListLocally>>,
};

constinit const Command kRevoke = {
    .name = "revoke",
    .summary = "Revoke API keys, at once",
    .usage = "[OPTIONS] ID...",
    .options = kRevokeOptions,
    .examples = "cay keys revoke $(cay keys list -q)\n",
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = &ParseAndRun<LocalOptions, Either<LocalOptions, RevokeMain, RevokeLocally>>,
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
