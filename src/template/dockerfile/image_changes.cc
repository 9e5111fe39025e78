#include "template/dockerfile/image_changes.h"

#include <algorithm>
#include <array>

#include "archive/safe_path.h"
#include "base/text.h"
#include "template/dockerfile/patterns/glob.h"
#include "template/dockerfile/words.h"

namespace cay::templates::dockerfile {
namespace {

using oci::kMaxConfigList;
using oci::kMaxConfigText;
using oci::ProcessConfig;

Result<void> CheckText(std::string_view what, std::string_view text) {
  if (text.size() <= kMaxConfigText) return {};
  return Failure(OverLimit(std::string(what) + " is over the maximum of " +
                           std::to_string(kMaxConfigText) + " bytes"));
}

Result<void> CheckCount(std::string_view what, size_t count) {
  if (count <= kMaxConfigList) return {};
  return Failure(OverLimit("an image has no more than " + std::to_string(kMaxConfigList) + " " +
                           std::string(what)));
}

Result<void> CheckList(std::string_view what, const std::vector<std::string>& texts) {
  TRY(CheckCount(what, texts.size()));
  for (const std::string& text : texts) TRY(CheckText("one of its " + std::string(what), text));
  return {};
}

void SetVariable(std::vector<std::string>& environment, const NameAndValue& variable) {
  const std::string entry = variable.name + "=" + variable.value;
  const auto place = std::ranges::find_if(environment, [&variable](const std::string& one) {
    return std::string_view(one).substr(0, one.find('=')) == variable.name;
  });
  if (place == environment.end()) {
    environment.push_back(entry);
  } else {
    *place = entry;
  }
}

// Changes a configuration by one instruction.
class Change {
 public:
  Change(oci::ImageConfig& config, bool& cmd_is_own)
      : config_(config), process_(config.process), cmd_is_own_(cmd_is_own) {}

  Result<void> operator()(const Env& env) {
    for (const NameAndValue& variable : env.variables) SetVariable(process_.env, variable);
    return CheckList("variables", process_.env);
  }

  Result<void> operator()(const Label& label) {
    for (const auto& [name, value] : label.labels) {
      TRY(CheckText("a label", value));
      process_.labels.insert_or_assign(name, value);
    }
    return CheckCount("labels", process_.labels.size());
  }

  Result<void> operator()(const Workdir& workdir) {
    process_.working_dir = PathBelow(process_.working_dir, workdir.path);
    return CheckText("the path", process_.working_dir);
  }

  Result<void> operator()(const User& user) {
    process_.user = user.user;
    return CheckText("the user", process_.user);
  }

  Result<void> operator()(const Cmd& cmd) {
    process_.cmd = cmd.command.Argv(ShellOf(config_));
    cmd_is_own_ = true;
    return CheckList("words of CMD", process_.cmd);
  }

  Result<void> operator()(const Entrypoint& entrypoint) {
    process_.entrypoint = entrypoint.command.Argv(ShellOf(config_));
    if (!cmd_is_own_) process_.cmd.clear();
    return CheckList("words of ENTRYPOINT", process_.entrypoint);
  }

  Result<void> operator()(const Expose& expose) {
    for (const std::string& text : expose.ports) {
      const auto ports = TRY(PortsOf(text));
      process_.exposed_ports.insert(process_.exposed_ports.end(), ports.begin(), ports.end());
      std::ranges::sort(process_.exposed_ports);
      const auto repeated = std::ranges::unique(process_.exposed_ports);
      process_.exposed_ports.erase(repeated.begin(), repeated.end());
      TRY(CheckCount("exposed ports", process_.exposed_ports.size()));
    }
    return {};
  }

  Result<void> operator()(const Volume& volume) {
    for (const std::string& path : volume.paths) {
      if (std::ranges::find(process_.volumes, path) != process_.volumes.end()) continue;
      process_.volumes.push_back(path);
      TRY(CheckCount("volumes", process_.volumes.size()));
    }
    return CheckList("volumes", process_.volumes);
  }

  Result<void> operator()(const Shell& shell) {
    process_.shell = shell.argv;
    return CheckList("words of SHELL", process_.shell);
  }

  Result<void> operator()(const StopSignal& stop) {
    TRY(CheckSignal(stop.signal));
    process_.stop_signal = stop.signal;
    return {};
  }

  Result<void> operator()(const HealthcheckOf& health) {
    process_.healthcheck = health.check;
    return CheckList("words of HEALTHCHECK", health.check.test);
  }

  Result<void> operator()(const OnBuild& on_build) {
    process_.on_build.push_back(on_build.trigger);
    return CheckList("ONBUILD instructions", process_.on_build);
  }

  Result<void> operator()(const Maintainer& maintainer) {
    config_.author = maintainer.author;
    return CheckText("the name", config_.author);
  }

  Result<void> operator()(const From& /*value*/) { return {}; }
  Result<void> operator()(const Run& /*value*/) { return {}; }
  Result<void> operator()(const Copy& /*value*/) { return {}; }
  Result<void> operator()(const Add& /*value*/) { return {}; }
  Result<void> operator()(const Arg& /*value*/) { return {}; }

 private:
  oci::ImageConfig& config_;
  ProcessConfig& process_;
  bool& cmd_is_own_;
};

}  // namespace

std::vector<std::string> ShellOf(const oci::ImageConfig& config) {
  if (!config.process.shell.empty()) return config.process.shell;
  return {"/bin/sh", "-c"};
}

std::string PathBelow(std::string_view working_dir, std::string_view path) {
  if (path.starts_with('/')) return CleanPath(path);
  return CleanPath("/" + std::string(working_dir) + "/" + std::string(path));
}

Result<std::vector<oci::ExposedPort>> PortsOf(std::string_view text) {
  const size_t colon = text.rfind(':');
  const oci::ExposedPort range =
      TRY(oci::ExposedPort::Parse(colon == std::string_view::npos ? text : text.substr(colon + 1)));
  const size_t count = size_t{range.last} - range.first + 1;
  TRY(CheckCount("exposed ports", count));
  std::vector<oci::ExposedPort> ports;
  for (size_t i = 0; i < count; ++i) {
    const auto port = static_cast<uint16_t>(range.first + i);
    ports.push_back({.first = port, .last = port, .protocol = range.protocol});
  }
  return ports;
}

Result<void> CheckSignal(std::string_view text) {
  constexpr std::array<std::string_view, 33> kNames = {
      "ABRT", "ALRM", "BUS",  "CHLD", "CLD",  "CONT", "FPE",  "HUP",  "ILL",    "INT",   "IO",
      "IOT",  "KILL", "PIPE", "POLL", "PROF", "PWR",  "QUIT", "SEGV", "STKFLT", "STOP",  "SYS",
      "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG",  "USR1", "USR2", "VTALRM", "WINCH", "XCPU"};
  constexpr uint64_t kLastSignal = 64;
  constexpr uint64_t kRealTime = 30;  // SIGRTMAX - SIGRTMIN, as programs see it
  const auto bad = [text] {
    return Failure(Error::Invalid("\"" + archive::Printable(text) +
                                  "\" is no signal: it is as \"SIGTERM\", \"TERM\", \"15\""));
  };
  if (const auto number = ParseUnsigned(text, kLastSignal))
    return *number == 0 ? bad() : Result<void>();
  std::string name(text);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (std::ranges::find(kNames, name) != kNames.end() || name == "XFSZ") return {};
  for (const std::string_view base : {"RTMIN", "RTMAX"}) {
    if (!name.starts_with(base)) continue;
    name.erase(0, base.size());
    if (name.empty()) return {};
    const bool has_sign = name.front() == (base == "RTMIN" ? '+' : '-');
    if (has_sign && ParseUnsigned(name.substr(1), kRealTime)) return {};
  }
  return bad();
}

Result<void> ImageChanges::Apply(const Instruction& expanded) {
  if (auto done = std::visit(Change(config_, cmd_is_own_), expanded.value); !done) {
    return Failure(std::move(done).error().WithContext(
        "line " + std::to_string(expanded.first_line) + ": " + std::string(expanded.Name())));
  }
  return {};
}

}  // namespace cay::templates::dockerfile
