// Processes as JSON: what is asked for, and what came of them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json_fields.h"
#include "json/json_writer.h"
#include "sandbox/processes/process_keeper.h"

namespace cay::api::rest {

// workdir, env, user, timeout, kill_grace, cpu_time, kill_leftovers, tag: the fields that every way
// of starting a command has.
Result<void> ReadProcessOptions(JsonFields& fields, sandbox::ProcessSpec& spec);
// {"rows","columns"}; `where`: its name in messages.
Result<protocol::TerminalSize> ReadTerminalSize(const JsonValue& value, std::string where);
// "SIGTERM", "TERM", "15" or 15.
Result<int> ReadSignal(JsonFields& fields, std::string_view name);
Result<int> ParseSignal(std::string_view text);
// "SIGKILL"; "SIGRTMIN+3" for the real-time ones.
std::string SignalText(uint32_t signal);

// Members of an object: what came of a process, without its output. Of one that was lost: why, and
// whose fault it is.
void WriteOutcome(JsonWriter& json, const sandbox::ProcessRecord& record);
// state, reason and fault alone.
void WriteState(JsonWriter& json, const sandbox::ProcessRecord& record);
// The process object.
void WriteProcess(JsonWriter& json, const sandbox::ProcessRecord& record);
void WriteCommand(JsonWriter& json, const std::vector<std::string>& command);

// "stdout": text, with a mark where something is missing, which begins and ends between two
// characters; "stdout_base64" beside it when the bytes are no UTF-8: those that are kept, without
// the mark. "stdout_gap": after how many of these bytes how many are missing, or null.
void WriteOutput(JsonWriter& json, const std::string& name, const sandbox::KeptText& kept);

// "truncated_by": the request's max_output, or the server's memory for output (limits.output_held).
void WriteTruncatedBy(JsonWriter& json, bool truncated, bool out_of_memory);

// Members: pid …, output, outcome.
void WriteExecution(JsonWriter& json, const sandbox::Execution& execution);

bool Succeeded(const sandbox::ProcessRecord& record);

}  // namespace cay::api::rest
