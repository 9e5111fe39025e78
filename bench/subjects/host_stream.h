// The least that any server does with output: a pipe from the program, a socket to the reader.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace cay::bench {

// The output of a program, through both. An error when it is not exactly so many bytes.
Result<void> ThroughPipeAndSocket(const std::vector<std::string>& argv, Bytes bytes);
// The same, of so many zeros.
Result<void> ThroughPipeAndSocket(Bytes bytes);

}  // namespace cay::bench
