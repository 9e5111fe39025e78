// When a template was last used: the time of a file that has nothing in it (.used/NAME), beside the
// metadata and not in it, so that a use changes nothing that anybody reads. It is written once an
// hour at most, which is how exact it is: the common create only looks at it.
#pragma once

#include <cstdint>
#include <string>

#include "template/store/layer_store.h"

namespace cay::templates {

// Best effort: whoever may not write there may use the template all the same.
void NoteUse(const LayerStore& layers, const std::string& name);

// Unix milliseconds; 0 when it was never noted.
int64_t LastUseOf(const LayerStore& layers, const std::string& name);

// Of a template that is no more.
void ForgetUse(const LayerStore& layers, const std::string& name);

}  // namespace cay::templates
