// COPY and ADD (BuildKit, instructions/parse.go). Inside this room only. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/dockerfile/instruction.h"

namespace cay::templates::dockerfile {

// `rest`: the line without the instruction and its flags. `heredocs`: those of the line.
Result<Instruction::Value> ParseCopy(const std::vector<std::string>& flags, std::string_view rest,
                                     const std::vector<Heredoc>& heredocs);
Result<Instruction::Value> ParseAdd(const std::vector<std::string>& flags, std::string_view rest,
                                    const std::vector<Heredoc>& heredocs);

// What can be known of them when their variables are replaced.
Result<void> CheckCopy(const Copy& copy);
Result<void> CheckAdd(const Add& add);

}  // namespace cay::templates::dockerfile
