#include "guest/io/proc_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/units.h"

namespace cay::guest {

std::optional<pid_t> ParsePid(std::string_view name) {
  const Result<uint64_t> pid = ParseUnsigned(name, INT32_MAX);
  if (!pid || *pid == 0) return std::nullopt;
  return static_cast<pid_t>(*pid);
}

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

Result<void> ForEachNumber(const Fd& proc, const std::string& directory,
                           const std::function<void(pid_t)>& visit) {
  const int raw = ::openat(proc.get(), directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("reading /proc"));
  const Fd opened = Fd::Adopt(raw);
  alignas(dirent64) std::array<char, 8192> buffer;
  size_t seen = 0;
  while (seen < kMaxScanned) {
    const ssize_t got = ::getdents64(opened.get(), buffer.data(), buffer.size());
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

std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    uint64_t number = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
    if (parsed.ec == std::errc()) return number;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace cay::guest
