// -e and --env-file, as docker's: what was typed, and what it comes to. The files come first, so
// that -e wins.
//
//   struct ExecOptions { std::vector<std::string> env, env_files; };
//   … .apply = &Into<ExecOptions, AddEnv<ExecOptions>> …, EnvFileOption<ExecOptions>(),
//   for (const EnvChange& change : TRY(EnvChanges(options.env_files, options.env))) …
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/command.h"

namespace cay::cli {

Result<std::vector<EnvChange>> EnvChanges(const std::vector<std::string>& files,
                                          const std::vector<std::string>& typed);

// Of a request's "env": what is set.
Result<boost::json::object> EnvObject(const std::vector<std::string>& files,
                                      const std::vector<std::string>& typed);

template <class Options>
Result<void> AddEnv(Options& options, std::string_view value) {
  TRY(ParseEnv(value, &LookupEnvironment));  // for its errors; applied after the files
  options.env.emplace_back(value);
  return {};
}

template <class Options>
Result<void> AddEnvFile(Options& options, std::string_view value) {
  if (value.empty()) return Failure(Error::Invalid("the value is empty"));
  options.env_files.emplace_back(value);
  return {};
}

template <class Options>
constexpr OptionSpec EnvFileOption() {
  return {.name = "env-file",
          .value = "FILE",
          .help = "Set the variables of FILE, one NAME=VALUE a line; repeatable",
          .example = "./test.env",
          .completes = Completes::kFiles,
          .apply = &Into<Options, AddEnvFile<Options>>};
}

}  // namespace cay::cli
