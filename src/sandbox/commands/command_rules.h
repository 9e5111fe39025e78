// CommandRules: what an administrator decides about commands, whoever runs them: which are refused
// or flagged (command_patterns.h), and what of each the log tells (execution_log.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cay::sandbox {

enum class ExecutionLog : uint8_t {
  kOff,
  kSummary,  // who, where, which program, how it ended, how long it took, how much it wrote
  kFull,     // the command line as well, and a line when it starts
};

struct CommandRules {
  std::vector<std::string> refuse{};  // "NAME=EXPRESSION"
  std::vector<std::string> flag{};
  ExecutionLog log = ExecutionLog::kOff;
};

}  // namespace cay::sandbox
