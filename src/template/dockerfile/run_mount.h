// The --mount of RUN (BuildKit, instructions/commands_runmount.go). Inside this room only. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "template/dockerfile/instruction.h"

namespace cay::templates::dockerfile {

// As far as it can be known before variables are: `from` always, the rest where the text is what it
// says.
Result<RunMount> ParseMount(std::string text);

// All of it; `expand` gives each value without quotes, escapes and variables.
Result<RunMount> ReadMount(std::string text,
                           const std::function<Result<std::string>(std::string_view)>& expand);

}  // namespace cay::templates::dockerfile
