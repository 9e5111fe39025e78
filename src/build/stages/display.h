// Instructions as people read them.
#pragma once

#include <string>

#include "template/dockerfile/instruction.h"

namespace cay::build {

// In one line, cut where it is long: "RUN apt-get update && apt-get install -y …".
std::string DisplayOf(const templates::dockerfile::Instruction& instruction);

// For an image's history: in one line, as far as an image's configuration takes it.
std::string HistoryOf(const templates::dockerfile::Instruction& instruction);

}  // namespace cay::build
