#include "cli/run_result.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"
#include "cli/command.h"
#include "cli/console.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

// As the API writes it.
void AddOutput(json::object& object, std::string_view name, const HeldOutput& output) {
  const std::string key(name);
  const sandbox::KeptText kept = output.kept();
  const sandbox::ShownText shown = sandbox::Show(kept);
  if (shown.is_utf8) {
    object[key] = std::string(shown.begin).append(shown.mark).append(shown.end);
  } else {
    object[key] = EncodeBase64(kept.bytes);
    object[key + "_encoding"] = "base64";
  }
  const uint64_t dropped = kept.omitted + output.lost();
  object[key + "_gap"] = nullptr;
  if (kept.omitted > 0) object[key + "_gap"] = {{"at", kept.gap_at}, {"bytes", kept.omitted}};
  object[key + "_truncated"] = dropped > 0;
  if (dropped > 0) object[key + "_dropped_bytes"] = dropped;
}

template <class T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
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
  json::object object;
  object["exit_code"] = result.exit_code;
  object["signal"] = OrNull(result.signal);
  object["timed_out"] = result.timed_out;
  object["oom_killed"] = result.oom_killed;
  object["disk_full"] = result.disk_full;
  object["file_size_exceeded"] = result.file_size_exceeded;
  object["cpu_time_exceeded"] = result.cpu_time_exceeded;
  object["output_cut"] = result.output_cut;
  object["duration_ms"] = result.duration_ms;
  object["cpu_ms"] = OrNull(result.cpu_ms);
  object["memory_peak"] = OrNull(result.memory_peak);
  AddOutput(object, "stdout", result.out);
  AddOutput(object, "stderr", result.err);
  json::array not_enforced;
  for (const engine::NotEnforced& limit : result.not_enforced) {
    not_enforced.push_back({{"limit", engine::LimitName(limit.limit)}, {"why", limit.why}});
  }
  object["not_enforced"] = std::move(not_enforced);
  if (timing) {
    json::object stages;
    for (const StageTime& stage : result.stages) stages[stage.name] = stage.us;
    object["timing_us"] = std::move(stages);
  }
  if (result.error) {
    object["error"] = {{"code", ErrorCodeName(result.error->code())},
                       {"message", result.error->message()},
                       {"remedy", result.error->remedy()}};
  }
  return json::serialize(object) + "\n";
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
  return notes;
}

}  // namespace cay::cli
