#include "guest/processes/leftovers.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "guest/io/proc_files.h"

namespace cay::guest {
namespace {

constexpr std::string_view kMarkName = "Max file locks";

// As fs/proc/base.c names them (lnames).
struct NamedLimit {
  std::string_view name;
  int resource;
};
constexpr std::array<NamedLimit, 9> kLimitsOfCommands = {{
    {"Max cpu time", RLIMIT_CPU},
    {"Max file size", RLIMIT_FSIZE},
    {"Max data size", RLIMIT_DATA},
    {"Max stack size", RLIMIT_STACK},
    {"Max core file size", RLIMIT_CORE},
    {"Max locked memory", RLIMIT_MEMLOCK},
    {"Max open files", RLIMIT_NOFILE},
    {"Max address space", RLIMIT_AS},
    {kMarkName, RLIMIT_LOCKS},
}};

std::optional<rlim_t> ParseLimitValue(std::string_view word) {
  if (word == "unlimited") return RLIM_INFINITY;
  rlim_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// NAME  SOFT  HARD  UNITS, in columns of spaces.
std::optional<rlimit> ParseLimit(std::string_view limits, std::string_view name) {
  const size_t at = limits.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  limits.remove_prefix(at + name.size());
  limits = limits.substr(0, limits.find('\n'));
  const auto next = [&] {
    limits.remove_prefix(std::min(limits.find_first_not_of(' '), limits.size()));
    const std::string_view word = limits.substr(0, limits.find(' '));
    limits.remove_prefix(word.size());
    return word;
  };
  const auto soft = ParseLimitValue(next());
  const auto hard = ParseLimitValue(next());
  if (!soft || !hard) return std::nullopt;
  return rlimit{.rlim_cur = *soft, .rlim_max = *hard};
}

bool HasMark(const Fd& proc, pid_t pid, uint64_t process) {
  std::array<char, 4096> buffer;
  const uint64_t mark = ParseMark(ReadSmall(proc, std::to_string(pid) + "/limits", buffer));
  if (mark != MarkOf(process) && mark >= kMarkBase) return false;
  // pid (comm) state …: the name may itself hold parentheses, so from the last.
  const std::string_view stat = ReadSmall(proc, std::to_string(pid) + "/stat", buffer);
  const size_t end = stat.rfind(')');
  return end != std::string_view::npos && end + 2 < stat.size() && stat[end + 2] != 'Z' &&
         stat[end + 2] != 'X';
}

// The kernel's list of a thread's children (CONFIG_PROC_CHILDREN); nothing when it has none or it
// is long.
std::optional<std::string> Children(const Fd& proc, pid_t thread) {
  std::array<char, 4096> buffer;
  const std::string path = "self/task/" + std::to_string(thread) + "/children";
  if (::faccessat(proc.get(), path.c_str(), R_OK, 0) < 0) return std::nullopt;
  const std::string_view text = ReadSmall(proc, path, buffer);
  if (text.size() == buffer.size()) return std::nullopt;
  return std::string(text);
}

}  // namespace

uint64_t ParseMark(std::string_view limits) {
  const auto mark = ParseLimit(limits, kMarkName);
  return mark ? mark->rlim_max : UINT64_MAX;
}

std::optional<std::vector<ChildRlimit>> ParseLimits(std::string_view limits) {
  std::vector<ChildRlimit> parsed;
  for (const NamedLimit& named : kLimitsOfCommands) {
    const auto value = ParseLimit(limits, named.name);
    if (!value) return std::nullopt;
    parsed.push_back({named.resource, *value});
  }
  return parsed;
}

std::optional<std::vector<ChildRlimit>> LimitsOf(const Fd& proc, pid_t pid) {
  std::array<char, 4096> buffer;
  return ParseLimits(ReadSmall(proc, std::to_string(pid) + "/limits", buffer));
}

Result<std::vector<pid_t>> FindMarked(const Fd& proc, uint64_t process) {
  std::vector<pid_t> found;
  TRY(ForEachNumber(proc, ".", [&](pid_t pid) {
    if (pid != ::getpid() && HasMark(proc, pid, process)) found.push_back(pid);
  }));
  return found;
}

bool MayHaveOrphans(const Fd& proc, pid_t spawner_thread, std::span<const pid_t> leaders) {
  const auto orphans = Children(proc, ::getpid());
  if (!orphans || !orphans->empty()) return true;
  const auto commands = Children(proc, spawner_thread);
  if (!commands) return true;
  // A command's child made with CLONE_PARENT stands here beside its parent.
  std::string_view rest = *commands;
  while (!rest.empty()) {
    const size_t space = rest.find(' ');
    const auto pid = ParsePid(rest.substr(0, space));
    if (pid && std::ranges::find(leaders, *pid) == leaders.end()) return true;
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  }
  return false;
}

}  // namespace cay::guest
