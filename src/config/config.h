// Config: what an administrator decides, from cay.toml, the environment (CAY_*) and flags, each of
// which wins over the one before.
//
//   Loaded loaded = TRY(LoadConfig({.file = "cay.toml", .flags = {{"listen", {"unix:/run/cay.sock"}}}}));
//   loaded.config.manager.default_limits …
//
// Every key is one row of one table (config_table.h): the file, the environment, the flags of `cay
// serve`, `cay config show` and docs/configuration.md are made of it. A key that is not in it is an
// error.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/gate/gate_options.h"
#include "api/route.h"
#include "api/webhooks/webhook_options.h"
#include "base/os/log.h"
#include "base/result.h"
#include "base/string_map.h"
#include "http/server/server.h"
#include "sandbox/builds/build_rules.h"
#include "sandbox/commands/command_rules.h"
#include "sandbox/options.h"
#include "sandbox/processes/output_room.h"
#include "sandbox/processes/process_types.h"
#include "sandbox/projects/project_files.h"
#include "sandbox/templates/pull_rules.h"
#include "template/metadata/space_budget.h"

namespace cay::config {

// The defaults are those of the structs, except for what is set here.
struct Config {
  Config();

  std::vector<std::string> listen = {"127.0.0.1:8888"};
  std::string state_dir;  // empty: base/os/paths.h
  http::TlsOptions tls;
  http::ServerLimits http;
  sandbox::ManagerOptions manager;     // `pools` from the field below, by Finish
  std::vector<std::string> pools;      // see pool_text.h
  std::vector<std::string> templates;  // see template_text.h
  std::string environments;            // a directory of recipes; empty: the program's own alone
  sandbox::PullRules pulls;
  sandbox::BuildRules builds;
  templates::SpaceBudget space;
  sandbox::KeeperOptions processes;
  sandbox::CommandRules commands;
  sandbox::ProjectLimits projects;
  Bytes output_held = api::kDefaultOutputHeld;
  api::GateOptions gate;
  api::WebhookOptions webhooks;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool log_requests = true;
  Millis drain_timeout{10'000};
  Millis launcher_timeout{60'000};
  size_t launchers = 0;  // 0: by the processors
};

using Values = std::vector<std::string>;  // one, or those of a list

// One key. Names are dotted: "limits.defaults.memory".
struct Key {
  std::string_view name;
  std::string_view flag;   // of `cay serve`, without "--"; empty: only --set
  std::string_view value;  // what the value is: "SIZE"
  std::string_view example;
  std::string_view doc;  // one sentence
  bool list = false;
  bool reloads = false;  // SIGHUP applies it; otherwise it needs a restart
  Result<void> (*set)(Config& config, const Values& values);
  Values (*show)(const Config& config);
};

std::span<const Key> Keys();
const Key* FindKey(std::string_view name);
// "CAY_LIMITS_DEFAULTS_MEMORY".
std::string EnvironmentName(const Key& key);

struct Sources {
  // A file that must be there. Nothing: CAY_CONFIG, or the default one where it exists.
  std::optional<std::string> file = std::nullopt;
  // The environment: getenv(3), or a test's.
  std::function<std::optional<std::string>(const std::string& name)> environment = {};
  // In the order in which they were given: name of the key, values. A list given again is appended
  // to.
  std::vector<std::pair<std::string, Values>> flags = {};
};

struct Loaded {
  Config config;
  std::string file;   // that was read; empty: none
  StringMap origins;  // of each key: "default", "cay.toml:3", "CAY_LISTEN", "--listen"
};

// All that is wrong, in the order of the file; then nothing is loaded. Each error is
// kInvalidArgument and begins with where it is.
struct LoadResult {
  Loaded loaded;
  std::vector<Error> problems;
};
LoadResult LoadAndExplain(const Sources& sources);

// The first of the problems, with how many more there are.
Result<Loaded> LoadConfig(const Sources& sources);

// Where the file is by default: /etc/cay/cay.toml, or ~/.config/cay/cay.toml of an ordinary user.
std::string DefaultConfigFile();

// The names of keys that differ between the two, those that a reload applies and those that it does
// not.
struct Changes {
  std::vector<std::string> applied;
  std::vector<std::string> need_restart;
};
// Puts the values of keys that a reload applies into `to`; the others stay.
void CopyReloadable(const Config& from, Config& to);
Changes Compare(const Config& before, const Config& after);

// `cay config show`: one line for each key, TOML, with where it came from.
std::string RenderToml(const Loaded& loaded);
// docs/configuration.md.
std::string RenderMarkdown();

}  // namespace cay::config
