// What sandboxes of a template have unless their creators say otherwise, in one line each:
//
//   host.network.mode=allow     host.network.allow=example.com:443     host.network.limits.idle=5m
//
// Lists have a line for each entry. In the file it is a table [templates.host.network].
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/types.h"

namespace cay::config {

struct TemplateWord {
  std::string template_name;
  std::string_view name;  // "network.allow"
  bool list = false;
};
// "host.network.allow". kInvalidArgument for a word that there is not, with those that there are.
Result<TemplateWord> ParseTemplateWord(std::string_view text);

// By template. kInvalidArgument.
Result<std::map<std::string, sandbox::NetworkSpec>> ParseTemplates(
    const std::vector<std::string>& lines);

}  // namespace cay::config
