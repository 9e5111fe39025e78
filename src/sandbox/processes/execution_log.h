// The log's lines about executions (log.executions): who ran what where, and what came of it. Never
// an environment, an input or an output. A command line is shown by kFull alone: people write
// secrets into them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/os/log.h"
#include "sandbox/commands/command_rules.h"
#include "sandbox/processes/process_types.h"

namespace cay::sandbox {

// Pure: the fields of the line about a process that ended or was lost; of kSummary, what of the
// command is shown is its program's name.
std::vector<LogField> ExecutionFields(ExecutionLog detail, const std::string& owner,
                                      const ProcessRecord& record);

void LogExecutionStarted(ExecutionLog detail, const std::string& owner,
                         const ProcessRecord& record);
void LogExecutionEnded(ExecutionLog detail, const std::string& owner, const ProcessRecord& record);
// It could not be started, or was refused.
void LogExecutionFailed(ExecutionLog detail, const std::string& owner, const std::string& sandbox,
                        const std::vector<std::string>& command, const Error& error);

}  // namespace cay::sandbox
