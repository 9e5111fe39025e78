// ParseDockerfile: a Dockerfile's text as a list of instructions (docs.docker.com, "Dockerfile
// reference"), read as BuildKit's frontend/dockerfile/parser reads it. Pure.
//
//   const Dockerfile file = TRY(ParseDockerfile(text));
//   const Stages stages = TRY(Stages::Of(file, {.target = "app"}));      // stages.h
//
// Errors begin with "line 3: RUN: ", and say what was expected. kInvalidArgument; kLimitTooHigh for
// what is over a bound below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/dockerfile/instruction.h"

namespace cay::templates::dockerfile {

inline constexpr Bytes kMaxDockerfile = kMiB;
inline constexpr size_t kMaxInstructions = 10'000;
inline constexpr size_t kMaxStages = 1000;
// Of each instruction.
inline constexpr size_t kMaxWords = 4096;
inline constexpr size_t kMaxFlags = 256;
inline constexpr size_t kMaxHeredocs = 64;
// Of a file; those that come after are not kept, and one that says so is.
inline constexpr size_t kMaxWarnings = 1000;

// What is no error, and perhaps not what was meant.
struct Warning {
  uint32_t line = 0;        // 0: no line of the file
  std::string_view rule{};  // stable, BuildKit's name where it has one: "MaintainerDeprecated"
  std::string text{};
  friend bool operator==(const Warning&, const Warning&) = default;
};

struct Dockerfile {
  char escape = '\\';    // or '`': the directive "# escape="
  std::string syntax{};  // of "# syntax=". Not used: the syntax is this parser's
  std::string check{};   // of "# check=". Not used
  // At least one FROM, and nothing before the first but ARG.
  std::vector<Instruction> instructions{};
  std::vector<Warning> warnings{};
};

Result<Dockerfile> ParseDockerfile(std::string_view text);

// One instruction and nothing beside it: of Instruction::source, or of OnBuild::trigger (of an
// image's configuration as well, whose escape is '\\').
Result<Instruction> ParseInstruction(std::string_view source, char escape = '\\');

}  // namespace cay::templates::dockerfile
