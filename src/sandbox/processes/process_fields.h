// Fields of processes, in requests and in answers, each field once (base/field.h). Made of these
// lists: the API's readers and writers (api/rest/processes) and its schemas
// (api/openapi/process_schemas.cc). What the store keeps of a process has a list of its own, with
// numbers and bounds (process_table.cc).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "guest_link/process_verdict.h"
#include "sandbox/network/network_fields.h"
#include "sandbox/processes/execution.h"
#include "sandbox/processes/process_types.h"

namespace cay::sandbox::fields {

using field::About;

// A protocol::TerminalSize.
struct TerminalSize {
  static constexpr std::string_view kSchema = "TerminalSize";
  static void Of(auto& size, auto& visit) {
    visit(About{"rows"}, field::Count{.min = 1, .max = UINT16_MAX}, size.rows);
    visit(About{"columns"}, field::Count{.min = 1, .max = UINT16_MAX}, size.columns);
  }
  static Result<void> Check(const protocol::TerminalSize& size) {
    if (size.rows > 0 && size.columns > 0) return {};
    return Failure(Error::Invalid("a terminal has at least one row and one column"));
  }
};

// Of a ProcessSpec: the fields that every way of starting a command has.
struct ProcessOptions {
  static void Of(auto& spec, auto& visit) {
    visit(About{"workdir"}, field::Argument{.max_bytes = protocol::kMaxPathBytes}, spec.workdir);
    visit(About{"env"}, kBytesEnvironment, spec.env);
    visit(About{.name = "user", .text = "a name, a uid, or uid:gid"},
          field::Text{.max_bytes = protocol::kMaxUserBytes,
                      .pattern = field::kWithoutNul,
                      .max_length = protocol::kMaxUserBytes},
          spec.user);
    visit(About{"timeout"}, field::Duration{}, spec.timeout);
    visit(About{"kill_grace"}, field::Duration{}, spec.kill_grace);
    visit(About{.name = "cpu_time",
                .text = "processor time of each process, in whole seconds; left out: that of the "
                        "sandbox"},
          field::Duration{}, spec.cpu_time);
    visit(About{"kill_leftovers"}, field::Flag{}, spec.kill_leftovers);
    visit(About{"tag"}, field::Text{.max_bytes = kMiB, .max_length = 128}, spec.tag);
  }

 private:
  static constexpr field::Strings kBytesEnvironment = {
      .names = field::kEnvironment.names, .values = field::kWithoutNul, .bytes = true};
};

// A ProcessSpec. Its command is read by the API.
struct ProcessSpec {
  static constexpr std::string_view kSchema = "ProcessSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "command", .needed = true}, field::Own{.schema = "Command"}, spec);
    ProcessOptions::Of(spec, visit);
    visit(About{.name = "background",
                .text = "true: a process without a timeout has none; false: it has that of the "
                        "configuration (timeouts.command)"},
          field::Flag{.otherwise = true}, spec.background);
    visit(About{.name = "stdin", .text = "true: its standard input stays open for writes"},
          field::Flag{}, spec.stdin_open);
    visit(About{"output_held"}, field::Size{}, spec.output_held);
    visit(About{"terminal"}, field::Object<TerminalSize>{}, spec.terminal);
  }
};

// Of a ProcessRecord: the result of a process, without its output.
struct Ending {
  static constexpr std::array<std::string_view, 2> kFaults = {"caller", "machine"};

  static void OfState(const ProcessRecord& record, auto& visit) {
    const std::string_view fault = kFaults[IsByItsOwner(record.guest_end) ? 0 : 1];
    visit(About{"state"}, field::Word{.words = kProcessStateNames}, ProcessStateName(record.state));
    visit(About{.name = "reason", .text = "of a process that was lost: why, as in \"oom_killed\""},
          field::Text{}, record.reason);
    visit(About{.name = "fault", .text = "of a process that was lost: whose fault it is"},
          field::Word{.words = kFaults}, If(record.state == ProcessState::kLost, fault));
  }
  // How it ended, and which of its limits ended it.
  static void OfVerdict(const ProcessRecord& record, auto& visit) {
    const uint32_t signal = record.signal.value_or(0);
    visit(About{"exit_code"}, field::Number{}, record.exit_code);
    visit(About{"signal"}, field::Text{}, If(signal != 0, SignalText(signal)));
    visit(About{"timed_out"}, field::Flag{}, record.timed_out);
    visit(About{"oom_killed"}, field::Flag{}, record.oom_killed);
    visit(About{"disk_full"}, field::Flag{}, record.disk_full);
    visit(About{.name = "file_size_exceeded",
                .text = "ended by SIGXFSZ: a file grew over file_size_limit"},
          field::Flag{}, FileSizeExceeded(record));
    visit(About{.name = "cpu_time_exceeded",
                .text = "ended by SIGXCPU, or killed a second later: it used up its processor "
                        "time"},
          field::Flag{}, CpuTimeExceeded(record));
  }
  static void Of(const ProcessRecord& record, auto& visit) {
    OfState(record, visit);
    OfVerdict(record, visit);
    visit(About{"core_dumped"}, field::Flag{}, record.core_dumped);
    visit(About{.name = "output_cut",
                .text = "a process that it left running still held its output open"},
          field::Flag{}, record.output_cut);
    visit(About{"duration_ms"}, field::Number{}, record.duration_ms);
    visit(About{"cpu_ms"}, field::Number{}, record.cpu_ms);
    visit(About{"max_rss_bytes"}, field::Number{}, record.max_rss);
    visit(About{.name = "flagged",
                .text = "names of the patterns of commands.flag that the command matches"},
          field::Texts{}, record.flagged);
    visit(About{"leftovers"}, field::Numbers{}, record.leftovers);
    visit(About{"leftover_count"}, field::Number{}, record.leftover_count);
    visit(About{"success"}, field::Flag{}, Succeeded(record));
  }

 private:
  template <class T>
  static std::optional<T> If(bool holds, T value) {
    return holds ? std::optional(std::move(value)) : std::nullopt;
  }
};

// A ProcessRecord.
struct Process {
  static constexpr std::string_view kSchema = "Process";
  static void Of(const ProcessRecord& record, auto& visit) {
    const bool runs = record.state == ProcessState::kRunning;
    visit(About{"process_id"}, field::Number{}, record.id);
    visit(About{"pid"}, field::Number{}, record.pid);
    visit(About{"command"}, field::Texts{}, record.command);
    visit(About{"tag"}, field::Text{}, record.tag);
    visit(About{"terminal"}, field::Flag{}, record.terminal);
    visit(About{"started_at"}, field::Time{}, record.started_unix_ms);
    visit(About{.name = "deadline_at",
                .text = "when its timeout ends it, while it runs; null: never"},
          field::Time{}, runs ? record.deadline_unix_ms : std::nullopt);
    visit(About{"ended_at"}, field::Time{}, record.ended_unix_ms);
    visit(About{.name = "output_end", .text = "the sequence number after its last byte"},
          field::Number{}, record.output_end);
    Ending::Of(record, visit);
  }
};

struct ProcessList {
  static constexpr std::string_view kSchema = "ProcessList";
  static void Of(const std::vector<ProcessRecord>& all, auto& visit) {
    visit(About{"processes"}, field::Objects<Process>{}, all);
  }
};

// A protocol::LeftoversKilled.
struct LeftoversKilled {
  static constexpr std::string_view kSchema = "LeftoversKilled";
  static void Of(const protocol::LeftoversKilled& killed, auto& visit) {
    visit(About{"killed"}, field::Number{}, killed.killed);
    visit(About{"remaining"}, field::Number{}, killed.remaining);
  }
};

// What is kept of a stream of output, and how many bytes it had.
struct ToldOutput {
  KeptText kept;
  uint64_t bytes = 0;
  bool truncated = false;
};
struct ToldOutputs {
  ToldOutput out;
  ToldOutput err;
  bool out_of_memory = false;  // and not the maximum, where something was truncated
};

// A text, with a mark where something is missing, which begins and ends between two characters; and
// in base64 beside it where the bytes are not UTF-8: those that are kept, without the mark.
struct Outputs {
  static void OfTexts(const ToldOutputs& outputs, auto& visit) {
    OfText({"stdout", "stdout_base64", "stdout_gap"}, outputs.out.kept, visit);
    OfText({"stderr", "stderr_base64", "stderr_gap"}, outputs.err.kept, visit);
  }
  static void OfTruncation(const ToldOutputs& outputs, auto& visit) {
    const bool truncated = outputs.out.truncated || outputs.err.truncated;
    const std::string_view by = kBounds[outputs.out_of_memory ? 1 : 0];
    visit(About{"stdout_truncated"}, field::Flag{}, outputs.out.truncated);
    visit(About{"stderr_truncated"}, field::Flag{}, outputs.err.truncated);
    visit(About{.name = "truncated_by",
                .text = "what cut the output, if anything did: the request's max_output, or the "
                        "server's memory for output"},
          field::Word{.words = kBounds}, truncated ? std::optional(by) : std::nullopt);
  }
  static void Of(const ToldOutputs& outputs, auto& visit) {
    OfTexts(outputs, visit);
    visit(About{"stdout_bytes"}, field::Number{}, outputs.out.bytes);
    visit(About{"stderr_bytes"}, field::Number{}, outputs.err.bytes);
    OfTruncation(outputs, visit);
  }

 private:
  static constexpr std::array<std::string_view, 2> kBounds = {"max_output", "memory"};

  struct Names {
    std::string_view text;
    std::string_view base64;
    std::string_view gap;
  };
  struct Gap {
    static void Of(const KeptText& kept, auto& visit) {
      visit(About{"at"}, field::Number{}, kept.gap_at);
      visit(About{"bytes"}, field::Number{}, kept.omitted);
    }
  };
  static void OfText(const Names& names, const KeptText& kept, auto& visit) {
    const ShownText shown = Show(kept);
    visit(About{names.text}, field::Text{}, field::TextPieces{shown.begin, shown.mark, shown.end});
    visit(
        About{
            .name = names.base64, .text = "only where the output is not UTF-8", .sometimes = true},
        field::Base64{}, shown.is_utf8 ? std::nullopt : std::optional(kept.bytes));
    visit(About{.name = names.gap,
                .text = "where output is missing: after how many of the bytes that are kept, and "
                        "how many"},
          field::Object<Gap>{}, kept.omitted == 0 ? std::nullopt : std::optional(kept));
  }
};

// An Execution whose room is settled.
struct Execution {
  static constexpr std::string_view kSchema = "Execution";
  static void Of(const sandbox::Execution& execution, auto& visit) {
    visit(About{"process_id"}, field::Number{}, execution.record.id);
    visit(About{"pid"}, field::Number{}, execution.record.pid);
    Outputs::Of({.out = Told(execution, OutputStream::kStdout),
                 .err = Told(execution, OutputStream::kStderr),
                 .out_of_memory = execution.out_of_memory},
                visit);
    visit(About{"tag"}, field::Text{}, execution.record.tag);
    Ending::Of(execution.record, visit);
    NetworkDenied::Of(execution.network_denied, visit);
  }

 private:
  static ToldOutput Told(const sandbox::Execution& execution, OutputStream stream) {
    return {.kept = execution.Text(stream),
            .bytes = execution.Written(stream),
            .truncated = execution.Truncated(stream)};
  }
};

}  // namespace cay::sandbox::fields
