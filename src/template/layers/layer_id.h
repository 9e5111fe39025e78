// The names of layers in a store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::templates {

// Whether the text is a layer's id: 20 characters of [a-z0-9].
bool IsLayerId(std::string_view text);

// The id of a layer that is named by its content: 80 bits of the text's SHA-256. Two texts may be
// found that have the same, so whoever takes a layer over compares what is kept beside it.
Result<std::string> LayerIdOf(std::string_view content);

}  // namespace cay::templates
