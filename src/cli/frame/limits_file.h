// Limits from a file (--limits FILE): what a sandbox may use, under the names that the API has for
// it.
//
//   # limits of the build jobs
//   memory_limit = 512m
//   cpu_limit    = 1
//   pids_limit   = 20
//
// One NAME = VALUE a line; blank lines and lines that begin with # are skipped; a value may stand
// in double quotes. A limit's own option goes before the file, wherever it stands.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/frame/command.h"

namespace cay::cli {

inline constexpr std::array<std::string_view, 7> kLimitNames = {
    "memory_limit",     "cpu_limit",       "pids_limit",    "disk_limit",
    "open_files_limit", "file_size_limit", "cpu_time_limit"};

struct LimitLine {
  std::string name;  // of kLimitNames
  std::string value;
  size_t line = 0;
  bool operator==(const LimitLine&) const = default;
};

// kInvalidArgument "line 3: …" for what is no limit, is there twice, or has no value. Pure.
Result<std::vector<LimitLine>> ParseLimits(std::string_view text);
// Of a file of at most 64 KiB.
Result<std::vector<LimitLine>> ReadLimitsFile(const std::string& path);
// What is wrong with a value, with where it stands.
Error WrongLimit(const std::string& path, const LimitLine& line, Error why);

template <class Options>
Result<void> SetLimitsFile(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  if (!options.limits_file.empty()) return Failure(Error::Invalid("it can be given only once"));
  options.limits_file = value;
  return {};
}

template <class Options>
constexpr OptionSpec kLimitsFileOption = {
    .name = "limits",
    .value = "FILE",
    .help = "Limits of FILE, one NAME = VALUE a line, as memory_limit = 512m; options go before it",
    .example = "./limits.conf",
    .completes = Completes::kFiles,
    .apply = &Into<Options, SetLimitsFile<Options>>};

}  // namespace cay::cli
