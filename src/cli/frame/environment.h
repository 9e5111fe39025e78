// The environment variables that cay reads, CAY_…, and warnings about names that are nearly right.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace cay::cli {

// A line for each variable ("NAME=VALUE") whose name begins with CAY_ and is unknown: for all of
// them when `all`, else only for those that are nearly a known one, since other programs' variables
// may begin so, too. Pure.
std::vector<std::string> DescribeUnknownVariables(std::span<const std::string> environment,
                                                  bool all);

// Warns of this process's variables, on standard error. `all`: for commands that take their
// configuration from variables.
void NoteUnknownVariables(bool all);

}  // namespace cay::cli
