// cay template pull (pull_command.cc), one of template_command.cc's.
#pragma once

#include "cli/frame/command.h"

namespace cay::cli {

extern const Command kTemplatePullCommand;

}  // namespace cay::cli
