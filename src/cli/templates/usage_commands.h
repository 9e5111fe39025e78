// cay template inspect | df | prune (usage_commands.cc), three of template_command.cc's.
#pragma once

#include "cli/frame/command.h"

namespace cay::cli {

extern const Command kTemplateInspectCommand;
extern const Command kTemplateDfCommand;
extern const Command kTemplatePruneCommand;

}  // namespace cay::cli
