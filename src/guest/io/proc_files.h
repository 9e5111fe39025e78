// Small files of /proc, read by the descriptor of the directory, and its directories of numbers.
//
//   std::array<char, 4096> buffer;
//   const std::string_view stat = ReadSmall(proc, "17/stat", buffer);
//   TRY(ForEachNumber(proc, ".", [](pid_t pid) { … }));
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::guest {

inline constexpr size_t kMaxScanned = 65'536;  // names looked at in one directory

// The whole text as a positive pid.
std::optional<pid_t> ParsePid(std::string_view name);

// At most the size of `buffer` of the file; empty when it cannot be read.
std::string_view ReadSmall(const Fd& proc, const std::string& path, std::span<char> buffer);

// Calls `visit` with each name that is a pid, at most kMaxScanned.
Result<void> ForEachNumber(const Fd& proc, const std::string& directory,
                           const std::function<void(pid_t)>& visit);

// The number after `key` at the start of a line ("Seccomp_filters:"); nothing where there is none.
std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key);

}  // namespace cay::guest
