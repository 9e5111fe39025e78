#include "cli/frame/env_options.h"

#include "base/os/file.h"

namespace cay::cli {
namespace {

constexpr Bytes kMaxEnvFile = kMiB;

}  // namespace

Result<std::vector<EnvChange>> EnvChanges(const std::vector<std::string>& files,
                                          const std::vector<std::string>& typed) {
  std::vector<EnvChange> changes;
  for (const std::string& path : files) {
    Result<std::string> text = ReadFile(path, kMaxEnvFile);
    if (!text) return Failure(std::move(text).error().WithContext("--env-file"));
    Result<std::vector<EnvChange>> parsed = ParseEnvFile(*text, &LookupEnvironment);
    if (!parsed) return Failure(std::move(parsed).error().WithContext("--env-file " + path));
    changes.insert(changes.end(), parsed->begin(), parsed->end());
  }
  for (const std::string& text : typed) changes.push_back(TRY(ParseEnv(text, &LookupEnvironment)));
  return changes;
}

Result<boost::json::object> EnvObject(const std::vector<std::string>& files,
                                      const std::vector<std::string>& typed) {
  boost::json::object env;
  for (const EnvChange& change : TRY(EnvChanges(files, typed))) {
    if (change.value) {
      env[change.name] = *change.value;
    } else {
      env.erase(change.name);
    }
  }
  return env;
}

}  // namespace cay::cli
