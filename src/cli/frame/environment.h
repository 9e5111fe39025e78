// The variables that cay reads, CAY_…; what is written nearly so is told.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace cay::cli {

// A line for each variable ("NAME=VALUE") whose name begins as ours do and is none of ours: all of
// them when `all`, else only those that are nearly one of ours: somebody else's may begin so, too.
// Pure.
std::vector<std::string> DescribeUnknownVariables(std::span<const std::string> environment,
                                                  bool all);

// Tells of this process's, on standard error. `all`: for commands that take their configuration
// from variables.
void NoteUnknownVariables(bool all);

}  // namespace cay::cli
