#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "guest/sudo/wanted_command.h"

namespace cay::guest::sudo {
namespace {

// What a command needs of its caller to work where it is: the terminal, the language, and how this
// sandbox's network is reached and trusted. Those that end in '*' are beginnings.
constexpr auto kUsual = std::to_array<std::string_view>({"TERM",
                                                         "COLORTERM",
                                                         "LANG",
                                                         "LANGUAGE",
                                                         "LC_*",
                                                         "TZ",
                                                         "DISPLAY",
                                                         "XAUTHORITY",
                                                         "LS_COLORS",
                                                         "EDITOR",
                                                         "VISUAL",
                                                         "DEBIAN_FRONTEND",
                                                         "http_proxy",
                                                         "https_proxy",
                                                         "ftp_proxy",
                                                         "all_proxy",
                                                         "no_proxy",
                                                         "HTTP_PROXY",
                                                         "HTTPS_PROXY",
                                                         "FTP_PROXY",
                                                         "ALL_PROXY",
                                                         "NO_PROXY",
                                                         "SSL_CERT_FILE",
                                                         "SSL_CERT_DIR",
                                                         "REQUESTS_CA_BUNDLE",
                                                         "CURL_CA_BUNDLE",
                                                         "AWS_CA_BUNDLE",
                                                         "NODE_EXTRA_CA_CERTS",
                                                         "GIT_SSL_CAINFO",
                                                         "CARGO_HTTP_CAINFO",
                                                         "PIP_*",
                                                         "UV_*",
                                                         "NPM_CONFIG_*",
                                                         "npm_config_*",
                                                         "GOPROXY",
                                                         "GOSUMDB",
                                                         "GOFLAGS",
                                                         "CARGO_*"});

// Where commands of root are, too; users' paths often have it not.
constexpr std::array<std::string_view, 3> kAdministration = {"/usr/local/sbin", "/usr/sbin",
                                                             "/sbin"};
constexpr std::string_view kUsualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

bool IsUsual(std::string_view name) {
  return std::ranges::any_of(kUsual, [name](std::string_view usual) {
    return usual.ends_with('*') ? name.starts_with(usual.substr(0, usual.size() - 1))
                                : name == usual;
  });
}

class Environment {
 public:
  void Set(std::string_view name, std::string_view value) {
    std::string variable = std::string(name) + "=" + std::string(value);
    for (std::string& known : variables_) {
      if (NameOf(known) != name) continue;
      known = std::move(variable);
      return;
    }
    variables_.push_back(std::move(variable));
  }
  std::optional<std::string_view> Get(std::string_view name) const {
    for (const std::string& known : variables_) {
      if (NameOf(known) == name) return std::string_view(known).substr(name.size() + 1);
    }
    return std::nullopt;
  }
  std::vector<std::string> Take() && { return std::move(variables_); }

 private:
  std::vector<std::string> variables_;
};

Environment Of(const std::vector<std::string>& variables) {
  Environment environment;
  for (const std::string& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    environment.Set(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return environment;
}

std::string WithAdministration(std::string path) {
  for (const std::string_view directory : kAdministration) {
    if ((":" + path + ":").find(":" + std::string(directory) + ":") != std::string::npos) continue;
    path += ":" + std::string(directory);
  }
  return path;
}

bool IsKept(const WantedCommand& wanted, std::string_view name) {
  return wanted.keep == Keep::kAll || IsUsual(name) ||
         std::ranges::find(wanted.kept, name) != wanted.kept.end();
}

// As su(1) has it, -m keeps who one is, too; a user that is not root is told in USER and LOGNAME.
std::vector<std::string> EnvironmentFor(const WantedCommand& wanted, const Account& target,
                                        const Caller& caller, const std::string& shell) {
  const Environment of_caller = Of(caller.env);
  Environment made;
  for (const std::string& variable : caller.env) {
    const std::string_view name = NameOf(variable);
    if (name.size() < variable.size() && IsKept(wanted, name))
      made.Set(name, std::string_view(variable).substr(name.size() + 1));
  }
  const auto path = of_caller.Get("PATH");
  const bool fresh_path = wanted.login || !path || path->empty();
  made.Set("PATH", fresh_path ? std::string(kUsualPath) : WithAdministration(std::string(*path)));
  made.Set("HOME", target.home);
  made.Set("USER", target.name);
  made.Set("LOGNAME", target.name);
  made.Set("SHELL", shell);
  made.Set("SUDO_USER", caller.account.name);
  made.Set("SUDO_UID", std::to_string(caller.account.uid));
  made.Set("SUDO_GID", std::to_string(caller.account.gid));
  for (const std::string& variable : wanted.set) {
    const std::string_view name = NameOf(variable);
    made.Set(name, std::string_view(variable).substr(name.size() + 1));
  }
  return std::move(made).Take();
}

// Words as one line of a shell, as sudo(8) does for -s and -i: every other character is escaped.
std::string Line(const std::vector<std::string>& words) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    for (const char c : word) {
      if (kPlain.find(c) == std::string_view::npos) line += '\\';
      line += c;
    }
  }
  return line;
}

std::vector<std::string> ShellCommand(const WantedCommand& wanted, const std::string& shell) {
  std::vector<std::string> argv = {shell};
  if (wanted.login) argv.emplace_back("-l");
  if (!wanted.command_line.empty()) {
    argv.insert(argv.end(), {"-c", wanted.command_line});
    argv.insert(argv.end(), wanted.argv.begin(), wanted.argv.end());
  } else if (wanted.shell == Shell::kArguments) {
    argv.insert(argv.end(), wanted.argv.begin(), wanted.argv.end());
  } else if (!wanted.argv.empty()) {
    argv.insert(argv.end(), {"-c", Line(wanted.argv)});
  }
  return argv;
}

}  // namespace

Result<protocol::StartRequest> MakeRequest(const WantedCommand& wanted, const Account& target,
                                           const Caller& caller) {
  std::string shell = wanted.shell_program;
  if (shell.empty() && wanted.callers_shell && !wanted.login)
    shell = Of(caller.env).Get("SHELL").value_or("");
  if (shell.empty()) shell = target.shell.empty() ? "/bin/sh" : target.shell;
  protocol::StartRequest request;
  request.env = EnvironmentFor(wanted, target, caller, shell);
  request.argv = wanted.shell == Shell::kNone ? wanted.argv : ShellCommand(wanted, shell);
  request.cwd = !wanted.directory.empty() ? wanted.directory
                : wanted.login            ? target.home
                                          : caller.directory;
  request.user = std::to_string(target.uid);
  if (!wanted.group.empty()) {
    request.user += ":" + std::to_string(target.gid);
  } else if (!target.name.empty() && target.name != request.user) {
    request.user = target.name;  // with its groups
  }
  TRY(protocol::CheckLimits(request));
  return request;
}

}  // namespace cay::guest::sudo
