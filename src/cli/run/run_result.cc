#include "cli/run/run_result.h"

#include <algorithm>

#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/remedy_words.h"
#include "guest_link/process_verdict.h"
#include "json/field_writer.h"
#include "sandbox/network/network_fields.h"
#include "sandbox/processes/process_fields.h"

namespace cay::cli {
namespace {

sandbox::fields::ToldOutput Told(const HeldOutput& output) {
  return {.kept = output.kept(),
          .bytes = output.written() + output.lost(),
          .truncated = output.kept().omitted + output.lost() > 0};
}

// As an execution of the server's: what never came here was too much for the memory that held it.
void WriteOutputs(JsonWriter& json, const RunResult& result) {
  WriteMembers<sandbox::fields::Outputs>(
      json,
      sandbox::fields::ToldOutputs{.out = Told(result.out),
                                   .err = Told(result.err),
                                   .out_of_memory = result.out.lost() + result.err.lost() > 0});
}

void WriteOutcome(JsonWriter& json, const RunResult& result) {
  json.Member("exit_code", result.error ? result.exit_code : result.command_exit_code);
  json.Key("signal");
  if (result.signal) {
    json.Value(SignalText(static_cast<uint32_t>(*result.signal)));
  } else {
    json.Null();
  }
  json.Member("timed_out", result.timed_out).Member("oom_killed", result.oom_killed);
  json.Member("disk_full", result.disk_full);
  json.Member("file_size_exceeded", result.file_size_exceeded);
  json.Member("cpu_time_exceeded", result.cpu_time_exceeded);
  json.Member("output_cut", result.output_cut);
  json.Member("duration_ms", result.duration_ms).Member("cpu_ms", result.cpu_ms);
  json.Member("success", !result.error && result.exit_code == 0);
}

void WriteError(JsonWriter& json, const Error& error) {
  json.Key("error").BeginObject().Member("code", ErrorCodeName(error.code()));
  json.Member("detail", error.message());
  json.Member("fault", error.fault() == Fault::kCaller ? "caller" : "machine");
  if (!error.remedy().empty()) json.Member("remedy", error.remedy().InWords(CommandFor));
  json.EndObject();
}

// As an execution of the server's: the first of what was refused or not reached.
sandbox::DeniedFlows FirstDenied(const RunFlows& flows) {
  sandbox::DeniedFlows first;
  const size_t told = std::min<size_t>(flows.denied.size(), sandbox::DeniedFlows::kMost);
  first.flows.assign(flows.denied.begin(), flows.denied.begin() + static_cast<ptrdiff_t>(told));
  first.more = flows.denied.size() - told + flows.dropped;
  return first;
}

// "example.com:443"
void AddNetworkNotes(const RunFlows& flows, std::vector<std::string>& notes) {
  constexpr size_t kMostNotes = 5;
  for (size_t i = 0; i < std::min(flows.denied.size(), kMostNotes); ++i) {
    const network::Flow& flow = flows.denied[i];
    notes.push_back("network: " + PlaceOf(flow) + " " +
                    std::string(network::VerdictName(flow.verdict)) + ": " + flow.reason +
                    (flow.times > 1 ? " (" + std::to_string(flow.times) + " times)" : ""));
  }
  const uint64_t more = flows.denied.size() - std::min(flows.denied.size(), kMostNotes);
  if (more + flows.dropped > 0)
    notes.push_back("network: " + std::to_string(more + flows.dropped) + " more; see --json");
}

// 1234 -> "1.234 ms"
std::string FormatMicros(uint64_t us) {
  std::string fraction = std::to_string(us % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(us / 1000) + "." + fraction;
}

}  // namespace

int ExitCode(int command_exit_code, std::optional<int> signal, bool timed_out) {
  if (timed_out) return kExitTimeout;
  if (signal) return kExitSignalBase + *signal;
  return command_exit_code & 0xFF;
}

std::string RenderJson(const RunResult& result, bool timing) {
  JsonWriter json;
  WriteOutputs(json.BeginObject(), result);
  WriteOutcome(json, result);
  json.Member("memory_peak_bytes", result.memory_peak).Member("memory_peak", result.memory_peak);
  json.Key("not_enforced").BeginArray();
  for (const engine::NotEnforced& limit : result.not_enforced) {
    json.BeginObject().Member("limit", engine::LimitName(limit.limit));
    json.Member("why", limit.why).EndObject();
  }
  json.EndArray();
  WriteMembers<sandbox::fields::NetworkDenied>(json, FirstDenied(result.network));
  if (!result.published.empty()) {
    json.Key("published").BeginArray();
    for (const std::string& rule : result.published) json.Value(rule);
    json.EndArray();
  }
  if (timing) {
    json.Key("timing_us").BeginObject();
    for (const StageTime& stage : result.stages) json.Member(stage.name, stage.us);
    json.EndObject();
  }
  if (result.error) WriteError(json, *result.error);
  json.EndObject();
  return json.text() + "\n";
}

std::string RenderTiming(const std::vector<StageTime>& stages) {
  std::vector<std::vector<std::string>> rows = {{"STAGE", "MS"}};
  uint64_t sum = 0;
  size_t width = 0;
  for (const StageTime& stage : stages) {
    sum += stage.us;
    rows.push_back({stage.name, FormatMicros(stage.us)});
  }
  rows.push_back({"total", FormatMicros(sum)});
  for (const auto& row : rows) width = std::max(width, row[1].size());
  for (auto& row : rows) row[1].insert(0, width - row[1].size(), ' ');
  return FormatTable(rows);
}

std::vector<std::string> RenderNotes(const RunResult& result, const engine::Limits& limits,
                                     Millis timeout) {
  std::vector<std::string> notes;
  if (result.timed_out) notes.push_back("timed out after " + FormatDuration(timeout));
  if (result.oom_killed) {
    notes.push_back("killed: out of memory (limit " + FormatBytes(limits.memory) + ")");
  }
  if (result.disk_full) {
    notes.push_back("the sandbox's disk is full (limit " + FormatBytes(limits.disk) + ")");
  }
  if (result.file_size_exceeded) {
    notes.push_back("a file grew over the limit of " + FormatBytes(FileSizeLimit(limits)) +
                    " (--file-size)");
  }
  if (result.cpu_time_exceeded) notes.emplace_back("used up its processor time (--cpu-time)");
  if (result.output_cut && !result.timed_out) notes.emplace_back(kOutputCutNote);
  AddNetworkNotes(result.network, notes);
  return notes;
}

}  // namespace cay::cli
