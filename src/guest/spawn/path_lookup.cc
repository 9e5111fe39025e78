#include "guest/spawn/path_lookup.h"

#include <climits>

namespace cay::guest {
namespace {

std::string_view PathOf(const std::vector<std::string>& env) {
  constexpr std::string_view kPrefix = "PATH=";
  for (const std::string& entry : env) {
    if (entry.starts_with(kPrefix)) return std::string_view(entry).substr(kPrefix.size());
  }
  return kDefaultPath;
}

}  // namespace

std::vector<std::string> ExecCandidates(std::string_view command,
                                        const std::vector<std::string>& env) {
  if (command.empty()) return {};
  if (command.find('/') != std::string_view::npos) return {std::string(command)};
  std::vector<std::string> candidates;
  std::string_view path = PathOf(env);
  for (size_t i = 0; i < kMaxPathDirectories; ++i) {
    const size_t colon = path.find(':');
    std::string candidate(path.substr(0, colon));
    if (!candidate.empty()) candidate += '/';
    candidate += command;
    if (candidate.size() < PATH_MAX) candidates.push_back(std::move(candidate));
    if (colon == std::string_view::npos) break;
    path.remove_prefix(colon + 1);
  }
  return candidates;
}

}  // namespace cay::guest
