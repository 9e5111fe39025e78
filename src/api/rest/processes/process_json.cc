#include "api/rest/processes/process_json.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/encoding.h"
#include "json/field_writer.h"

namespace cay::api::rest {

using sandbox::ProcessRecord;

Result<void> ReadProcessOptions(JsonFields& fields, sandbox::ProcessSpec& spec) {
  spec.workdir = TRY(fields.TextOrBase64("workdir", protocol::kMaxPathBytes)).value_or("");
  spec.env = TRY(fields.TextsOrBase64("env")).value_or(sandbox::StringMap());
  spec.user = TRY(fields.String("user", protocol::kMaxUserBytes)).value_or("");
  spec.timeout = TRY(fields.Duration("timeout"));
  spec.kill_grace = TRY(fields.Duration("kill_grace"));
  spec.cpu_time = TRY(fields.Duration("cpu_time"));
  spec.kill_leftovers = TRY(fields.Bool("kill_leftovers")).value_or(false);
  spec.tag = TRY(fields.String("tag")).value_or("");
  return {};
}

Result<protocol::TerminalSize> ReadTerminalSize(const JsonValue& value, std::string where) {
  auto fields = TRY(JsonFields::Of(value, std::move(where)));
  protocol::TerminalSize size;
  size.rows = static_cast<uint16_t>(TRY(fields.Number("rows", UINT16_MAX)).value_or(size.rows));
  size.columns =
      static_cast<uint16_t>(TRY(fields.Number("columns", UINT16_MAX)).value_or(size.columns));
  TRY(fields.Finish());
  if (size.rows == 0 || size.columns == 0) {
    return Failure(Error::Invalid("a terminal has at least one row and one column"));
  }
  return size;
}

Result<int> ParseSignal(std::string_view text) {
  const auto bad = [&] {
    return Failure(Error::Invalid("not a signal: \"" + std::string(text) + "\"")
                       .WithRemedy("write a name or a number, as in SIGTERM or 15"));
  };
  if (const auto number = ParseUnsigned(text, protocol::kMaxSignal)) {
    return *number > 0 ? Result<int>(static_cast<int>(*number)) : bad();
  }
  std::string_view name = text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return bad();
}

Result<int> ReadSignal(JsonFields& fields, std::string_view name) {
  const JsonValue* value = fields.Find(name);
  if (value == nullptr) return Failure(Error::Invalid(fields.PathOf(name) + " is missing"));
  std::string text;
  if (value->AsString() != nullptr) {
    text = *value->AsString();
  } else {
    text = std::to_string(TRY(fields.Number(name, protocol::kMaxSignal)).value_or(0));
  }
  const auto signal = ParseSignal(text);
  if (!signal) return Failure(fields.Wrong(name, signal.error()));
  return *signal;
}

std::string SignalText(uint32_t signal) {
  const char* name = signal < 32 ? ::sigabbrev_np(static_cast<int>(signal)) : nullptr;
  if (name != nullptr) return std::string("SIG") + name;
  constexpr uint32_t kFirstRealTime = 34;  // glibc keeps 32 and 33 for itself
  if (signal >= kFirstRealTime) return "SIGRTMIN+" + std::to_string(signal - kFirstRealTime);
  return std::to_string(signal);
}

void WriteCommand(JsonWriter& json, const std::vector<std::string>& command) {
  json.BeginArray();
  for (const std::string& argument : command) json.Value(argument);
  json.EndArray();
}

bool Succeeded(const ProcessRecord& record) {
  return record.state == sandbox::ProcessState::kExited && record.exit_code == 0 &&
         !record.signal && !record.timed_out;
}

namespace {}  // namespace

void WriteState(JsonWriter& json, const ProcessRecord& record) {
  json.Member("state", sandbox::ProcessStateName(record.state));
  json.Member("reason", record.reason).Key("fault");
  if (record.state != sandbox::ProcessState::kLost) {
    json.Null();
  } else {
    json.Value(sandbox::IsByItsOwner(record.guest_end) ? "caller" : "machine");
  }
}

void WriteOutcome(JsonWriter& json, const ProcessRecord& record) {
  WriteState(json, record);
  json.Member("exit_code", record.exit_code).Key("signal");
  if (record.signal.value_or(0) != 0) {
    json.Value(SignalText(*record.signal));
  } else {
    json.Null();
  }
  json.Member("timed_out", record.timed_out).Member("oom_killed", record.oom_killed);
  json.Member("disk_full", record.disk_full);
  json.Member("file_size_exceeded", FileSizeExceeded(record));
  json.Member("cpu_time_exceeded", CpuTimeExceeded(record));
  json.Member("core_dumped", record.core_dumped);
  json.Member("output_cut", record.output_cut);
  json.Member("duration_ms", record.duration_ms).Member("cpu_ms", record.cpu_ms);
  json.Member("max_rss_bytes", record.max_rss);
  json.Key("flagged").BeginArray();
  for (const std::string& name : record.flagged) json.Value(name);
  json.EndArray();
  json.Key("leftovers").BeginArray();
  for (const int32_t pid : record.leftovers) json.Value(pid);
  json.EndArray().Member("leftover_count", record.leftover_count);
  json.Member("success", Succeeded(record));
}

void WriteProcess(JsonWriter& json, const ProcessRecord& record) {
  json.BeginObject();
  json.Member("process_id", record.id).Member("pid", record.pid);
  WriteCommand(json.Key("command"), record.command);
  json.Member("tag", record.tag).Member("terminal", record.terminal);
  WriteTime(json.Key("started_at"), record.started_unix_ms);
  const bool runs = record.state == sandbox::ProcessState::kRunning;
  WriteTime(json.Key("deadline_at"), runs ? record.deadline_unix_ms : std::nullopt);
  WriteTime(json.Key("ended_at"), record.ended_unix_ms);
  json.Member("output_end", record.output_end);
  WriteOutcome(json, record);
  json.EndObject();
}

void WriteOutput(JsonWriter& json, const std::string& name, const sandbox::KeptText& kept) {
  const sandbox::ShownText shown = sandbox::Show(kept);
  json.Key(name).Joined({shown.begin, shown.mark, shown.end});
  if (!shown.is_utf8) json.Key(name + "_base64").Base64(kept.bytes);
  json.Key(name + "_gap");
  if (kept.omitted == 0) {
    json.Null();
  } else {
    json.BeginObject().Member("at", kept.gap_at).Member("bytes", kept.omitted).EndObject();
  }
}

void WriteTruncatedBy(JsonWriter& json, bool truncated, bool out_of_memory) {
  json.Key("truncated_by");
  if (!truncated) {
    json.Null();
  } else {
    json.Value(out_of_memory ? "memory" : "max_output");
  }
}

void WriteExecution(JsonWriter& json, const sandbox::Execution& execution) {
  json.Member("process_id", execution.record.id).Member("pid", execution.record.pid);
  WriteOutput(json, "stdout", execution.Text(OutputStream::kStdout));
  WriteOutput(json, "stderr", execution.Text(OutputStream::kStderr));
  json.Member("stdout_bytes", execution.Written(OutputStream::kStdout));
  json.Member("stderr_bytes", execution.Written(OutputStream::kStderr));
  const bool stdout_truncated = execution.Truncated(OutputStream::kStdout);
  const bool stderr_truncated = execution.Truncated(OutputStream::kStderr);
  json.Member("stdout_truncated", stdout_truncated).Member("stderr_truncated", stderr_truncated);
  WriteTruncatedBy(json, stdout_truncated || stderr_truncated, execution.out_of_memory);
  json.Member("tag", execution.record.tag);
  WriteOutcome(json, execution.record);
}

}  // namespace cay::api::rest
