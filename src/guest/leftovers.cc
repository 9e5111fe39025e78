#include "guest/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "base/units.h"

namespace cay::guest {
namespace {

std::optional<pid_t> ParsePid(std::string_view name) {
  const Result<uint64_t> pid = ParseUnsigned(name, INT32_MAX);
  if (!pid || *pid == 0) return std::nullopt;
  return static_cast<pid_t>(*pid);
}

// At most the size of `buffer` of the file; empty when it cannot be read.
std::string_view ReadSmall(const Fd& proc, const std::string& path, std::span<char> buffer) {
  const int raw = ::openat(proc.get(), path.c_str(), O_RDONLY | O_CLOEXEC);
  if (raw < 0) return {};
  const Fd fd = Fd::Adopt(raw);
  size_t used = 0;
  while (used < buffer.size()) {
    const ssize_t got = ::read(fd.get(), buffer.data() + used, buffer.size() - used);
    if (got <= 0) break;
    used += static_cast<size_t>(got);
  }
  return {buffer.data(), used};
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

// Calls `visit` with each pid of /proc, at most kMaxScanned.
template <class Visit>
Result<void> ForEachPid(const Fd& proc, Visit visit) {
  const int raw = ::openat(proc.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("reading /proc"));
  const Fd directory = Fd::Adopt(raw);
  alignas(dirent64) std::array<char, 8192> buffer;
  size_t seen = 0;
  while (seen < kMaxScanned) {
    const ssize_t got = ::getdents64(directory.get(), buffer.data(), buffer.size());
    if (got < 0) return Failure(Error::FromErrno("reading /proc"));
    if (got == 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (const auto pid = ParsePid(entry->d_name)) {
        ++seen;
        visit(*pid);
      }
    }
  }
  return {};
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
  constexpr std::string_view kLine = "Max file locks";
  const size_t at = limits.find(kLine);
  if (at == std::string_view::npos) return UINT64_MAX;
  limits.remove_prefix(at + kLine.size());
  limits = limits.substr(0, limits.find('\n'));
  const auto next = [&] {
    limits.remove_prefix(std::min(limits.find_first_not_of(' '), limits.size()));
    const std::string_view word = limits.substr(0, limits.find(' '));
    limits.remove_prefix(word.size());
    return word;
  };
  next();  // soft
  const std::string_view hard = next();
  uint64_t mark = UINT64_MAX;  // also for "unlimited"
  std::from_chars(hard.data(), hard.data() + hard.size(), mark);
  return mark;
}

Result<std::vector<pid_t>> FindMarked(const Fd& proc, uint64_t process) {
  std::vector<pid_t> found;
  TRY(ForEachPid(proc, [&](pid_t pid) {
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
