// The least that any server does with output: a pipe from the program, a socket to the reader.
#pragma once

#include "base/result.h"
#include "base/units.h"

namespace cay::bench {

// So many bytes of a program's output, through both. An error when any are lost.
Result<void> ThroughPipeAndSocket(Bytes bytes);

}  // namespace cay::bench
