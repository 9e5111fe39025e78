#include "cli/frame/environment.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "cli/frame/console.h"
#include "config/config.h"

namespace cay::cli {
namespace {

constexpr std::string_view kPrefix = "CAY_";

std::vector<std::string> KnownNames() {
  std::vector<std::string> names = {"CAY_URL", "CAY_API_KEY", "CAY_CONFIG", "CAY_STATE_DIR",
                                    "CAY_RUN_DIR"};
  for (const config::Key& key : config::Keys()) names.push_back(config::EnvironmentName(key));
  return names;
}

// Kubernetes gives every container of a namespace with a service named "cay" CAY_SERVICE_HOST,
// CAY_SERVICE_PORT_…, CAY_PORT and CAY_PORT_8888_TCP_…: nobody wrote them.
bool IsOfKubernetes(std::string_view name) {
  return name.starts_with("CAY_SERVICE_") || name == "CAY_PORT" || name.starts_with("CAY_PORT_");
}

}  // namespace

std::vector<std::string> DescribeUnknownVariables(std::span<const std::string> environment,
                                                  bool all) {
  const std::vector<std::string> known = KnownNames();
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  std::vector<std::string> lines;
  for (const std::string& variable : environment) {
    const std::string name = variable.substr(0, variable.find('='));
    if (!name.starts_with(kPrefix) || IsOfKubernetes(name) ||
        std::ranges::find(known, name) != known.end())
      continue;
    const std::string_view nearest = Nearest(name, candidates);
    if (nearest.empty() && !all) continue;
    lines.push_back("warning: cay has no environment variable " + OneLine(name) +
                    (nearest.empty() ? "" : " (did you mean " + std::string(nearest) + "?)"));
  }
  return lines;
}

void NoteUnknownVariables(bool all) {
  std::vector<std::string> environment;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with(kPrefix)) environment.emplace_back(*variable);
  }
  if (environment.empty()) return;
  for (const std::string& line : DescribeUnknownVariables(environment, all)) Note(line);
}

}  // namespace cay::cli
