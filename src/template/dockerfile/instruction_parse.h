// One instruction's line into its value (BuildKit, instructions/parse.go). Inside this room only.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/instruction.h"
#include "template/dockerfile/source_lines.h"

namespace cay::templates::dockerfile {

// The next instruction, with its heredocs; nothing at the end. Errors begin with line and
// instruction.
Result<std::optional<Instruction>> ReadInstruction(SourceLines& lines,
                                                   std::vector<Warning>& warnings);

void AddWarning(std::vector<Warning>& warnings, uint32_t line, std::string_view rule,
                std::string text);

}  // namespace cay::templates::dockerfile
