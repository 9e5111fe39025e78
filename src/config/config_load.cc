// From the sources to a Config.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/os/file.h"
#include "base/text.h"
#include "config/config.h"
#include "config/config_values.h"
#include "config/pool_text.h"
#include "config/template_text.h"
#include "config/toml_values.h"
#include "engine/factory/factory.h"
#include "sandbox/rules/network_rules.h"

namespace cay::config {
namespace {

// A launcher that works may take some hundred milliseconds for one request.
constexpr Millis kLeastLauncherTimeout{1000};

constexpr Millis kLeastPullTimeout{1000};

constexpr Millis kLeastBuildTimeout{1000};
// Of the sandbox of a step, so that it can begin.
constexpr Bytes kLeastBuildMemory = 64 * kMiB;
constexpr uint32_t kLeastBuildPids = 16;

constexpr std::string_view kTemplates = "templates.";

Error UnknownKey(const std::string& where, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Key& key : Keys()) names.push_back(key.name);
  std::string_view nearest = Nearest(name, names);
  // "memory" for "limits.defaults.memory".
  if (nearest.empty()) {
    const auto same_end = std::ranges::find_if(
        names, [&](std::string_view n) { return n.ends_with("." + std::string(name)); });
    if (same_end != names.end()) nearest = *same_end;
  }
  return Error::Invalid(where + std::string(name) + ": there is no such key")
      .WithRemedy(nearest.empty() ? "cay config show lists all of them"
                                  : "did you mean " + std::string(nearest) + "?");
}

std::optional<Error> Apply(Loaded& loaded, const Key& key, const Values& values,
                           const std::string& where, std::string origin) {
  const auto fault = [&](const Error& error) {
    return Error(error.code(), error.fault(),
                 where + std::string(key.name) + ": " + error.message())
        .WithRemedy(error.remedy().empty() ? Remedy("as in " + std::string(key.example))
                                           : error.remedy());
  };
  if (!key.list && values.size() != 1)
    return fault(Error::Invalid("this is one value, not a list"));
  const Result<void> set = key.set(loaded.config, values);
  if (!set) return fault(set.error());
  loaded.origins[std::string(key.name)] = std::move(origin);
  return std::nullopt;
}

Values Words(std::string_view text) {
  Values words;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (c != ' ' && c != '\n' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

std::optional<std::string> FromProcess(const std::string& name) {
  const char* value = ::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

class Loader {
 public:
  explicit Loader(const Sources& sources) : sources_(sources) {
    for (const Key& key : Keys()) result_.loaded.origins[std::string(key.name)] = "default";
  }

  LoadResult Run() {
    File();
    Environment();
    Flags();
    if (result_.problems.empty()) Finish();
    return std::move(result_);
  }

 private:
  void Problem(std::optional<Error> error) {
    if (error) result_.problems.push_back(std::move(*error));
  }

  std::optional<std::string> Getenv(const std::string& name) const {
    return sources_.environment ? sources_.environment(name) : FromProcess(name);
  }

  void File() {
    std::optional<std::string> named = sources_.file;
    if (!named) named = Getenv("CAY_CONFIG");
    const std::string path = named.value_or(DefaultConfigFile());
    if (path.empty() || (!named && ::access(path.c_str(), F_OK) != 0)) return;
    Result<std::string> text = ReadFile(path);
    if (!text) return Problem(std::move(text).error());
    result_.loaded.file = path;
    Result<std::vector<TomlValue>> values = ParseToml(*text);
    if (!values) {
      return Problem(Error::Invalid(path + ":" + values.error().message()));
    }
    for (const TomlValue& value : *values) {
      if (IsOfOneTemplate(value.name)) {
        TemplateValue(path, value);
      } else {
        FileValue(path, value);
      }
    }
    if (templates_.empty()) return;
    Problem(Apply(result_.loaded, *FindKey("templates.networks"), templates_, path + ": ", path));
  }

  // Beside the keys of [templates] there are tables of templates; what has no other dot is not one.
  static bool IsOfOneTemplate(std::string_view name) {
    if (!name.starts_with(kTemplates) || FindKey(name) != nullptr) return false;
    return name.find('.', kTemplates.size()) != std::string_view::npos;
  }

  // A key of a table [templates.NAME.network].
  void TemplateValue(const std::string& path, const TomlValue& value) {
    const std::string where =
        path + ":" + std::to_string(value.line) + ":" + std::to_string(value.column) + ": ";
    const auto wrong = [&](const Error& error) {
      Problem(
          Error::Invalid(where + value.name + ": " + error.message()).WithRemedy(error.remedy()));
    };
    const std::string name = value.name.substr(kTemplates.size());
    const auto word = ParseTemplateWord(name);
    if (!word) return wrong(word.error());
    if (word->list != value.list) {
      return wrong(Error::Invalid(value.list ? "this is one value, not a list" : "this is a list"));
    }
    for (const std::string& text : value.values) {
      const std::string line = name + "=" + text;
      if (const auto parsed = ParseTemplates({line}); !parsed) return wrong(parsed.error());
      templates_.push_back(line);
    }
  }

  void FileValue(const std::string& path, const TomlValue& value) {
    const std::string line = path + ":" + std::to_string(value.line);
    const std::string where = line + ":" + std::to_string(value.column) + ": ";
    const Key* key = FindKey(value.name);
    if (key == nullptr) return Problem(UnknownKey(where, value.name));
    if (key->list && !value.list) {
      return Problem(Error::Invalid(where + value.name + ": this is a list")
                         .WithRemedy("as in [\"" + std::string(key->example) + "\"]"));
    }
    if (!key->list && value.list) {
      return Problem(Error::Invalid(where + value.name + ": this is one value, not a list")
                         .WithRemedy("as in \"" + std::string(key->example) + "\""));
    }
    Problem(Apply(result_.loaded, *key, value.values, where, line));
  }

  void Environment() {
    for (const Key& key : Keys()) {
      const std::string name = EnvironmentName(key);
      const std::optional<std::string> value = Getenv(name);
      if (!value || value->empty()) continue;
      Problem(
          Apply(result_.loaded, key, key.list ? Words(*value) : Values{*value}, name + ": ", name));
    }
  }

  void Flags() {
    std::map<std::string, Values> lists;
    for (const auto& [name, values] : sources_.flags) {
      const Key* key = FindKey(name);
      if (key == nullptr) {
        Problem(UnknownKey("--set ", name));
        continue;
      }
      const std::string origin =
          key->flag.empty() ? "--set " + name : "--" + std::string(key->flag);
      if (name == "network.proxy") {
        if (auto fit = CheckProxyFlag(values); !fit) {
          Problem(std::move(fit).error().WithContext(origin));
          continue;
        }
      }
      if (!key->list) {
        Problem(Apply(result_.loaded, *key, values, origin + ": ", origin));
        continue;
      }
      Values& all = lists[name];
      all.insert(all.end(), values.begin(), values.end());
      Problem(Apply(result_.loaded, *key, all, origin + ": ", origin));
    }
  }

  // What several keys have to say together.
  void Finish() {
    Config& config = result_.loaded.config;
    config.manager.pools.clear();
    for (const std::string& text : config.pools) {
      Result<sandbox::PoolOptions> pool = ParsePool(text, config.manager.default_limits);
      if (!pool) return Problem(std::move(pool).error());
      config.manager.pools.push_back(std::move(*pool));
    }
    config.manager.default_template =
        config.manager.default_template.empty() ? "host" : config.manager.default_template;
    CheckTls();
    CheckPulls();
    CheckBuilds();
    CheckMaxima();
    CheckBounds();
    CheckWholeSeconds("limits.defaults.cpu_time", config.manager.default_cpu_time);
    CheckWholeSeconds("limits.maxima.cpu_time", config.manager.max_cpu_time);
    CheckWholeSeconds("network.max_idle", config.manager.network.maxima.idle);
    CheckNetworks();
    for (const std::string& text : config.listen) CheckListen(text);
  }

  // Those of templates are within what holds for all.
  void CheckNetworks() {
    const sandbox::NetworkOptions& network = result_.loaded.config.manager.network;
    const uint32_t most = network::NetworkLimits::kMaxConnections;
    if (network.maxima.connections == 0 || network.maxima.connections > most) {
      Problem(Error::Invalid("network.max_connections (" + Shown("network.max_connections") +
                             ") is not from 1 to " + std::to_string(most)));
      return;
    }
    for (const auto& [name, spec] : network.of_templates) {
      const auto resolved = sandbox::ResolveNetwork(spec, name, network);
      if (resolved) continue;
      Problem(Error::Invalid("templates." + name + ".network: " + resolved.error().message())
                  .WithRemedy(resolved.error().remedy()));
    }
  }

  void CheckTls() {
    const http::TlsOptions& tls = result_.loaded.config.tls;
    if (tls.certificate_file.empty() == tls.key_file.empty()) return;
    Problem(Error::Invalid("tls.certificate and tls.key belong together: " +
                           std::string(tls.key_file.empty() ? "tls.key" : "tls.certificate") +
                           " is missing"));
  }

  void CheckPulls() {
    const sandbox::PullRules& pulls = result_.loaded.config.pulls;
    const size_t most = sandbox::PullRules::kMostAtATime;
    if (pulls.at_a_time == 0 || pulls.at_a_time > most) {
      Problem(Error::Invalid("templates.max_concurrent_pulls (" +
                             Shown("templates.max_concurrent_pulls") + ") is not from 1 to " +
                             std::to_string(most)));
    }
    AtLeast("templates.pull_timeout", pulls.timeout >= kLeastPullTimeout,
            FormatDuration(kLeastPullTimeout));
  }

  void CheckBuilds() {
    const sandbox::BuildRules& builds = result_.loaded.config.builds;
    const size_t most = sandbox::BuildRules::kMostAtATime;
    if (builds.at_a_time == 0 || builds.at_a_time > most) {
      Problem(Error::Invalid("templates.max_concurrent_builds (" +
                             Shown("templates.max_concurrent_builds") + ") is not from 1 to " +
                             std::to_string(most)));
    }
    AtLeast("templates.build_timeout", builds.timeout >= kLeastBuildTimeout,
            FormatDuration(kLeastBuildTimeout));
    AtLeast("templates.build_memory", builds.limits.memory >= kLeastBuildMemory,
            FormatBytes(kLeastBuildMemory));
    AtLeast("templates.build_disk", builds.limits.disk >= kLeastBuildMemory,
            FormatBytes(kLeastBuildMemory));
    AtLeast("templates.build_pids", builds.limits.pids >= kLeastBuildPids,
            std::to_string(kLeastBuildPids));
  }

  void CheckListen(const std::string& text) {
    Result<http::ListenAddress> address = http::ListenAddress::Parse(text);
    if (!address) Problem(std::move(address).error().WithContext("listen"));
  }

  void Within(std::string_view value, std::string_view maximum, bool fits) {
    if (fits) return;
    Problem(Error::Invalid(std::string(value) + " (" + Shown(value) + ") is over " +
                           std::string(maximum) + " (" + Shown(maximum) + ")"));
  }
  std::string Shown(std::string_view name) const {
    return FindKey(name)->show(result_.loaded.config)[0];
  }

  void CheckMaxima() {
    const Config& config = result_.loaded.config;
    const engine::Limits& common = config.manager.default_limits;
    const engine::Limits& most = config.manager.max_limits;
    Within("limits.defaults.memory", "limits.maxima.memory", common.memory <= most.memory);
    Within("limits.defaults.cpus", "limits.maxima.cpus", common.cpus <= most.cpus);
    Within("limits.defaults.pids", "limits.maxima.pids", common.pids <= most.pids);
    Within("limits.defaults.disk", "limits.maxima.disk", common.disk <= most.disk);
    Within("limits.defaults.open_files", "limits.maxima.open_files",
           common.open_files <= most.open_files);
    Within("limits.defaults.file_size", "limits.maxima.file_size",
           common.file_size <= most.file_size);
    Within("limits.defaults.output", "limits.maxima.output",
           config.processes.output_held <= config.processes.max_output_held);
    const size_t running = config.processes.max_running_per_sandbox;
    if (running > sandbox::kMaxRunningPerSandbox) {
      Problem(Error::Invalid("limits.processes_per_sandbox (" + std::to_string(running) +
                             ") is over the maximum of a sandbox (" +
                             std::to_string(sandbox::kMaxRunningPerSandbox) + ")"));
    }
    const auto fits = [](Millis value, Millis maximum) {
      return maximum.count() == 0 || (value.count() != 0 && value <= maximum);
    };
    Within("limits.defaults.cpu_time", "limits.maxima.cpu_time",
           fits(config.manager.default_cpu_time, config.manager.max_cpu_time));
    Within("timeouts.lifetime", "timeouts.max_lifetime",
           fits(config.manager.default_timeout, config.manager.max_timeout));
    Within("timeouts.idle", "timeouts.max_idle",
           fits(config.manager.default_idle_timeout, config.manager.max_idle_timeout));
    Within("timeouts.command", "timeouts.max_command",
           fits(config.processes.default_timeout, config.processes.max_timeout));
  }

  void CheckWholeSeconds(std::string_view key, Millis value) {
    if (value.count() % 1000 == 0) return;
    Problem(Error::Invalid(std::string(key) + " (" + Shown(key) + ") is not whole seconds"));
  }

  // Outside of these a server starts, and does nothing that it is asked for.
  void CheckBounds() {
    const Config& config = result_.loaded.config;
    AtLeast("timeouts.launcher", config.launcher_timeout >= kLeastLauncherTimeout,
            FormatDuration(kLeastLauncherTimeout));
    if (config.manager.stop_grace > sandbox::kMaxStopGrace) {
      Problem(Error::Invalid("timeouts.stop_grace (" + Shown("timeouts.stop_grace") +
                             ") is more than " + FormatDuration(sandbox::kMaxStopGrace)));
    }
    if (config.launchers > engine::kMostAtATime) {
      Problem(Error::Invalid("limits.launchers (" + Shown("limits.launchers") + ") is more than " +
                             std::to_string(engine::kMostAtATime)));
    }
    AtLeast("limits.output_held", config.output_held >= api::kLeastOutputHeld,
            FormatBytes(api::kLeastOutputHeld));
  }

  void AtLeast(std::string_view value, bool fits, const std::string& least) {
    if (fits) return;
    Problem(Error::Invalid(std::string(value) + " (" + Shown(value) + ") is less than " + least));
  }

  const Sources& sources_;
  LoadResult result_;
  Values templates_;  // of the file
};

}  // namespace

std::string DefaultConfigFile() {
  if (::geteuid() == 0) return "/etc/cay/cay.toml";
  if (const char* config = ::getenv("XDG_CONFIG_HOME"); config != nullptr && config[0] == '/') {
    return std::string(config) + "/cay/cay.toml";
  }
  const char* home = ::getenv("HOME");
  return home == nullptr || home[0] != '/' ? "" : std::string(home) + "/.config/cay/cay.toml";
}

LoadResult LoadAndExplain(const Sources& sources) { return Loader(sources).Run(); }

Result<Loaded> LoadConfig(const Sources& sources) {
  LoadResult result = LoadAndExplain(sources);
  if (result.problems.empty()) return std::move(result.loaded);
  Error first = result.problems.front();
  const size_t more = result.problems.size() - 1;
  if (more == 0) return Failure(std::move(first));
  return Failure(Error(first.code(), first.fault(), first.message())
                     .WithRemedy(first.remedy() + std::string(first.remedy().empty() ? "" : "; ") +
                                 std::to_string(more) + " more: see cay config check"));
}

void CopyReloadable(const Config& from, Config& to) {
  // What was shown was set before, so it is taken.
  for (const Key& key : Keys()) {
    if (key.reloads) (void)key.set(to, key.show(from));
  }
  to.manager.pools = from.manager.pools;
}

Changes Compare(const Config& before, const Config& after) {
  Changes changes;
  for (const Key& key : Keys()) {
    if (key.show(before) == key.show(after)) continue;
    (key.reloads ? changes.applied : changes.need_restart).emplace_back(key.name);
  }
  return changes;
}

}  // namespace cay::config
