// The templates of this machine, for commands that have no engine, or have it for something else.
#pragma once

#include "base/os/paths.h"
#include "base/result.h"
#include "template/store/template_store.h"

namespace cay::cli {

// What they are used by is asked of the survey of the usual engine, each time that it matters.
Result<templates::TemplateStore> OpenLocalTemplates(const Paths& paths);

}  // namespace cay::cli
