#include "sandbox/processes/execution_log.h"

#include <algorithm>

#include "base/encoding.h"
#include "protocol/cbor.h"
#include "sandbox/processes/process_request.h"

namespace cay::sandbox {
namespace {

constexpr size_t kMaxProgramBytes = 256;

// As one would type it.
std::string Quoted(const std::string& argument) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) return argument;
  std::string quoted = "'";
  for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// Bounded: what a record keeps of a command has 4 KiB at most.
LogField CommandField(ExecutionLog detail, const std::vector<std::string>& command) {
  if (detail == ExecutionLog::kSummary) {
    return {"program",
            command.empty() ? "" : ToUtf8Lossy(command.front().substr(0, kMaxProgramBytes))};
  }
  std::string line;
  for (const std::string& argument : command) line += (line.empty() ? "" : " ") + Quoted(argument);
  return {"command", ToUtf8Lossy(line)};
}

std::vector<LogField> WhoAndWhat(ExecutionLog detail, const std::string& owner,
                                 const std::string& sandbox,
                                 const std::vector<std::string>& command) {
  return {{"owner", owner}, {"sandbox", sandbox}, CommandField(detail, command)};
}

int64_t Number(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

std::vector<LogField> ExecutionFields(ExecutionLog detail, const std::string& owner,
                                      const ProcessRecord& record) {
  std::vector<LogField> fields = WhoAndWhat(detail, owner, record.sandbox, record.command);
  fields.push_back({"process_id", Number(record.id)});
  if (detail == ExecutionLog::kFull && !record.tag.empty()) fields.push_back({"tag", record.tag});
  if (record.state == ProcessState::kRunning) return fields;
  if (record.exit_code) fields.push_back({"exit_code", int64_t{*record.exit_code}});
  if (record.signal) fields.push_back({"signal", int64_t{*record.signal}});
  if (record.state == ProcessState::kLost) fields.push_back({"lost", record.reason});
  if (record.timed_out) fields.push_back({"timed_out", int64_t{1}});
  if (record.oom_killed) fields.push_back({"oom_killed", int64_t{1}});
  fields.push_back({"duration_ms", Number(record.duration_ms)});
  fields.push_back({"cpu_ms", Number(record.cpu_ms)});
  fields.push_back({"output_bytes", Number(record.output_end)});
  return fields;
}

void LogExecutionStarted(ExecutionLog detail, const std::string& owner,
                         const ProcessRecord& record) {
  if (detail != ExecutionLog::kFull) return;
  LogEvent(LogLevel::kInfo, "execution started", ExecutionFields(detail, owner, record));
}

void LogExecutionEnded(ExecutionLog detail, const std::string& owner, const ProcessRecord& record) {
  if (detail == ExecutionLog::kOff) return;
  LogEvent(LogLevel::kInfo, "execution", ExecutionFields(detail, owner, record));
}

void LogExecutionFailed(ExecutionLog detail, const std::string& owner, const std::string& sandbox,
                        const std::vector<std::string>& command, const Error& error) {
  if (detail == ExecutionLog::kOff) return;
  std::vector<LogField> fields = WhoAndWhat(detail, owner, sandbox, RememberedCommand(command));
  fields.push_back({"error", std::string(ErrorCodeName(error.code()))});
  LogEvent(LogLevel::kInfo, "execution", fields);
}

}  // namespace cay::sandbox
