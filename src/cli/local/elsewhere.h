// What `cay ps` and `cay gc` say, beside what they are asked for, of sandboxes that have no
// directory under this state directory.
#pragma once

#include "engine/survey.h"

namespace cay::cli {

// On standard error, in one line; nothing where there are none.
void NoteElsewhere(engine::Survey& survey);

}  // namespace cay::cli
