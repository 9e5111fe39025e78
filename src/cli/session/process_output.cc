#include "cli/session/process_output.h"

#include "base/encoding.h"
#include "base/units.h"
#include "cli/client/values.h"
#include "cli/run/run_result.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

Error Malformed(const ServerEvent& event) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the server sent a " + event.type + " event that cannot be read"};
}

Result<uint64_t> Position(const ServerEvent& event, const json::object& data,
                          std::string_view key) {
  const std::optional<int64_t> number = NumberOf(data, key);
  if (!number || *number < 0) return Failure(Malformed(event));
  return static_cast<uint64_t>(*number);
}

}  // namespace

Result<json::object> EventData(const ServerEvent& event) {
  Result<json::object> data = ParseJsonObject(event.data);
  if (!data) return Failure(Malformed(event));
  return data;
}

Result<OutputPiece> OutputTracker::Take(const ServerEvent& event) {
  const json::object data = TRY(EventData(event));
  OutputPiece piece;
  if (event.type == "gap") {
    const uint64_t from = TRY(Position(event, data, "from"));
    const uint64_t to = TRY(Position(event, data, "to"));
    if (from > to) return Failure(Malformed(event));
    const uint64_t begin = std::max(from, next_.value_or(from));
    if (to > begin) piece.lost = to - begin;
    next_ = std::max(to, next_.value_or(to));
    return piece;
  }
  const uint64_t seq = TRY(Position(event, data, "seq"));
  piece.is_stdout = event.type == "stdout";
  if (data.contains("base64")) {
    Result<std::string> bytes = DecodeBase64(TextOf(data, "base64"));
    if (!bytes) return Failure(Malformed(event));
    piece.bytes = *std::move(bytes);
  } else {
    piece.bytes = TextOf(data, "text");
  }
  const uint64_t next = next_.value_or(seq);
  const uint64_t end = seq + piece.bytes.size();
  if (seq > next) piece.lost = seq - next;
  if (seq < next) piece.bytes.erase(0, std::min<uint64_t>(next - seq, piece.bytes.size()));
  next_ = std::max(next, end);
  return piece;
}

ProcessEnd ParseProcessEnd(const json::object& object) {
  ProcessEnd end;
  if (auto code = NumberOf(object, "exit_code")) end.exit_code = static_cast<int>(*code);
  end.signal = ParseSignal(TextOf(object, "signal"));
  end.timed_out = FlagOf(object, "timed_out");
  end.oom_killed = FlagOf(object, "oom_killed");
  end.disk_full = FlagOf(object, "disk_full");
  end.file_size_exceeded = FlagOf(object, "file_size_exceeded");
  end.cpu_time_exceeded = FlagOf(object, "cpu_time_exceeded");
  end.output_cut = FlagOf(object, "output_cut");
  end.duration_ms = NumberOf<uint64_t>(object, "duration_ms").value_or(0);
  end.leftover_count = NumberOf<uint64_t>(object, "leftover_count").value_or(0);
  end.reason = TextOf(object, "reason");
  return end;
}

Result<int> ExitCodeOfEnd(const ProcessEnd& end) {
  if (end.timed_out || end.signal || end.exit_code) {
    return ExitCode(end.exit_code.value_or(0), end.signal, end.timed_out);
  }
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the process was lost" + (end.reason.empty() ? "" : ": " + end.reason))
                     .WithRemedy("see cay events"));
}

std::vector<std::string> NotesOnEnd(const ProcessEnd& end) {
  std::vector<std::string> notes;
  if (end.timed_out) {
    notes.push_back("timed out after " + FormatDuration(Millis(end.duration_ms)));
  }
  if (end.oom_killed) notes.emplace_back("killed: out of memory");
  if (end.disk_full) notes.emplace_back("the sandbox's disk is full");
  if (end.file_size_exceeded) {
    notes.emplace_back("a file grew over the limit on file sizes (--file-size at its creation)");
  }
  if (end.cpu_time_exceeded) {
    notes.emplace_back(
        "it used up its processor time (--cpu-time, here or at its sandbox's creation)");
  }
  if (end.leftover_count > 0) {
    notes.push_back("it left " + std::to_string(end.leftover_count) +
                    (end.leftover_count == 1 ? " process running" : " processes running"));
  }
  if (end.output_cut && !end.timed_out) notes.emplace_back(kOutputCutNote);
  return notes;
}

std::string ProcessIdOf(const json::object& object) { return Cell(object, "process_id"); }

}  // namespace cay::cli
