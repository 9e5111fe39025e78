// cay template inspect | df | prune (usage_commands.cc), three of template_command.cc's.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/frame/command.h"

namespace cay::cli {

extern const Command kTemplateInspectCommand;
extern const Command kTemplateDfCommand;
extern const Command kTemplatePruneCommand;

// Asks on the terminal; anything but a yes is a no.
Result<bool> AskYes(const std::string& question);

}  // namespace cay::cli
