// What commands that need no server look at on this machine.
#pragma once

#include <memory>

#include "base/os/paths.h"
#include "base/result.h"
#include "engine/survey.h"
#include "template/store/template_store.h"
#include "volume/store/volume_store.h"

namespace cay::cli {

// Of the usual engine.
Result<std::unique_ptr<engine::Survey>> SurveyMachine(const Paths& paths);

// The templates of this machine, with the environments of CAY_ENVIRONMENTS_DIRECTORY. Which
// sandboxes use them is asked of a survey when it matters.
Result<templates::TemplateStore> OpenLocalTemplates(const Paths& paths);

// The volumes of this machine, likewise.
Result<volume::VolumeStore> OpenLocalVolumes(const Paths& paths);

// A note of `cay ps` and `cay gc` about sandboxes that have no directory under this state
// directory: one line on standard error; nothing where there are none.
void NoteElsewhere(engine::Survey& survey);

}  // namespace cay::cli
