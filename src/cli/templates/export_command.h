// cay template export and cay template push (export_command.cc, push_command.cc), two of
// template_command.cc's.
#pragma once

#include "cli/frame/command.h"

namespace cay::cli {

extern const Command kTemplateExportCommand;
extern const Command kTemplatePushCommand;

}  // namespace cay::cli
