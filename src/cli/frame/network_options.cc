#include "cli/frame/network_options.h"

#include <string>

#include "network/policy/preset.h"

namespace cay::cli {
namespace {

using network::Mode;
using network::Spec;

void AllowAtLeast(Spec& spec) {
  if (spec.mode == Mode::kNone) spec.mode = Mode::kAllow;
}

}  // namespace

Result<void> AddNet(Spec& spec, std::string_view value) {
  if (value == "none" || value == "open") {
    const Mode mode = value == "open" ? Mode::kOpen : Mode::kNone;
    const bool otherwise = !spec.presets.empty() || (mode == Mode::kNone && !spec.allow.empty());
    if (otherwise && mode == Mode::kNone)
      return Failure(Error::Invalid("\"none\" goes with no other network option"));
    spec.mode = mode;
    return {};
  }
  for (std::string_view rest = value; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    if (const auto found = network::FindPreset(rest.substr(0, end)); !found)
      return Failure(found.error());
    spec.presets.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (spec.presets.empty()) return Failure(Error::Invalid("it names no preset"));
  AllowAtLeast(spec);
  return {};
}

Result<void> AddAllow(Spec& spec, std::string_view value) {
  if (const auto rule = network::Rule::Parse(value); !rule) return Failure(rule.error());
  spec.allow.emplace_back(value);
  AllowAtLeast(spec);
  return {};
}

Result<void> AddDeny(Spec& spec, std::string_view value) {
  if (const auto rule = network::Rule::Parse(value); !rule) return Failure(rule.error());
  spec.deny.emplace_back(value);
  return {};
}

}  // namespace cay::cli
