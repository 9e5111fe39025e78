#include "cli/frame/argument_values.h"

#include <algorithm>
#include <cstdlib>

#include "base/names/owned_name.h"

namespace cay::cli {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\v\f";

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view TrimLeft(std::string_view text) {
  size_t start = text.find_first_not_of(kSpaces);
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

}  // namespace

std::optional<std::string> LookupEnvironment(const std::string& name) {
  const char* value = ::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

Result<std::string> ParseInsidePath(std::string_view text, std::string_view what) {
  std::string path(text);
  std::string name(what);
  if (!text.starts_with('/')) {
    return Failure(Error::Invalid("\"" + path + "\" is not an absolute path")
                       .WithRemedy("write " + name + " from / on, as in /workspace"));
  }
  for (std::string_view rest = text; !rest.empty();) {
    size_t end = std::min(rest.find('/'), rest.size());
    std::string_view part = rest.substr(0, end);
    if (part == "." || part == "..") {
      return Failure(Error::Invalid("\"" + path + "\" has \"" + std::string(part) + "\" in it")
                         .WithRemedy("write " + name + " without it"));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Result<engine::Mount> ParseMount(std::string_view text) {
  engine::Mount mount;
  std::string_view rest = text;
  if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
    mount.read_only = rest.ends_with(":ro");
    rest.remove_suffix(3);
  }
  const std::string_view modes = rest.substr(rest.rfind(':') + 1);
  const bool is_labelled =
      modes == "z" || modes == "Z" || modes.ends_with(",z") || modes.ends_with(",Z");
  if (is_labelled && !modes.starts_with('/')) {
    return Failure(
        Error::Invalid("\"" + std::string(text) + "\": the mount options z and Z are not supported")
            .WithRemedy("leave them out: Cay relabels nothing"));
  }
  size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size()) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is not SRC:DST[:ro|rw]"));
  }
  mount.source = rest.substr(0, colon);
  mount.target = TRY(ParseInsidePath(rest.substr(colon + 1), "the target"));
  if (mount.target == "/") {
    return Failure(Error::Invalid("a mount cannot be the sandbox's root")
                       .WithRemedy("choose a directory below it, or cay template import"));
  }
  return mount;
}

Result<sandbox::VolumeUse> ParseVolume(std::string_view text) {
  sandbox::VolumeUse use;
  std::string_view rest = text;
  if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
    use.read_only = rest.ends_with(":ro");
    rest.remove_suffix(3);
  }
  const size_t colon = rest.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size())
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is not NAME:DST[:ro|rw]"));
  use.name = rest.substr(0, colon);
  if (!IsShortName(use.name) && !ParseOwnedName(use.name)) {
    Error error = Error::Invalid("\"" + use.name + "\" is not the name of a volume");
    if (use.name.starts_with('/') || use.name.starts_with('.'))
      return Failure(std::move(error).WithRemedy("show a path of the machine with --mount"));
    return Failure(std::move(error).WithRemedy("list them: cay volume ls"));
  }
  use.path = TRY(ParseInsidePath(rest.substr(colon + 1), "the target"));
  if (use.path == "/") {
    return Failure(Error::Invalid("a volume cannot be the sandbox's root")
                       .WithRemedy("choose a directory below it"));
  }
  return use;
}

Result<Transfer> ParseTransfer(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is not SRC:DST"));
  }
  return Transfer{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

Result<engine::Tmpfs> ParseTmpfs(std::string_view text) {
  engine::Tmpfs tmpfs;
  size_t colon = text.find(':');
  tmpfs.target = TRY(ParseInsidePath(text.substr(0, colon), "the target"));
  if (tmpfs.target == "/") {
    return Failure(
        Error::Invalid("a tmpfs cannot be the sandbox's root").WithRemedy("use --scratch memory"));
  }
  if (colon == std::string_view::npos) return tmpfs;
  std::string_view size = text.substr(colon + 1);
  if (size.starts_with("size=")) size.remove_prefix(5);
  tmpfs.size = TRY(ParseBytes(size));
  return tmpfs;
}

Result<EnvChange> ParseEnv(std::string_view text, Lookup lookup) {
  size_t equals = text.find('=');
  EnvChange change{std::string(text.substr(0, equals)), std::nullopt};
  if (change.name.empty()) {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" has no name")
                       .WithRemedy("write NAME=VALUE, or NAME to pass on your own value"));
  }
  if (change.name.find_first_of(kSpaces) != std::string::npos) {
    return Failure(Error::Invalid("the name \"" + change.name + "\" has a space in it")
                       .WithRemedy("write NAME=VALUE"));
  }
  if (equals == std::string_view::npos) {
    change.value = lookup(change.name);
  } else {
    change.value = std::string(text.substr(equals + 1));
  }
  return change;
}

Result<std::vector<EnvChange>> ParseEnvFile(std::string_view text, Lookup lookup) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<EnvChange> changes;
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = TrimLeft(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    std::string where = "line " + std::to_string(number);
    if (line.find('\0') != std::string_view::npos) {
      return Failure(Error::Invalid(where + ": there is a NUL byte in it"));
    }
    Result<EnvChange> change = ParseEnv(line, lookup);
    if (!change) return Failure(std::move(change).error().WithContext(where));
    changes.push_back(*std::move(change));
  }
  return changes;
}

std::vector<std::string> ApplyEnv(std::vector<std::string> base,
                                  const std::vector<EnvChange>& changes) {
  for (const EnvChange& change : changes) {
    std::string prefix = change.name + "=";
    auto found = std::ranges::find_if(
        base, [&](const std::string& entry) { return entry.starts_with(prefix); });
    if (!change.value) {
      if (found != base.end()) base.erase(found);
    } else if (found != base.end()) {
      *found = prefix + *change.value;
    } else {
      base.push_back(prefix + *change.value);
    }
  }
  return base;
}

Result<std::string> ParseHostname(std::string_view text) {
  bool good = !text.empty() && text.size() <= 63;
  for (size_t i = 0; good && i < text.size(); ++i) {
    bool inner = i > 0 && i + 1 < text.size();
    good = IsAlphanumeric(text[i]) || (inner && (text[i] == '-' || text[i] == '.'));
  }
  if (good) return std::string(text);
  return Failure(Error::Invalid("\"" + std::string(text) + "\" is not a host name")
                     .WithRemedy("use at most 63 letters, digits, dots and hyphens"));
}

TypedCommand ShellRule(std::vector<std::string> command, bool after_separator) {
  const bool line = !after_separator && command.size() == 1 &&
                    command.front().find_first_of(kSpaces) != std::string::npos;
  if (!line) return {.argv = std::move(command), .shell = ""};
  return {.argv = {}, .shell = std::move(command.front())};
}

}  // namespace cay::cli
