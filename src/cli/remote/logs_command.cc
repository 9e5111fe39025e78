// cay logs: what processes of the server's sandboxes wrote, as far as it is held.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <deque>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/event_source.h"
#include "cli/session/output_session.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

constexpr uint64_t kMaxTail = 1'000'000;

struct LogsOptions : ServerOptions {
  bool follow = false;
  std::optional<uint64_t> from;
  std::optional<uint64_t> tail;  // lines
  std::optional<int64_t> since;  // Unix milliseconds
};

// Where the last lines of what is held begin, both streams together. One that does not end in a
// newline is a line.
class LastLines {
 public:
  explicit LastLines(uint64_t count) : count_(count) {}

  void Take(uint64_t begin, std::string_view bytes) {
    for (const char c : bytes) {
      if (at_line_start_) starts_.push_back(begin);
      if (starts_.size() > count_) starts_.pop_front();
      at_line_start_ = c == '\n';
      end_ = ++begin;
    }
  }

  uint64_t start() const { return starts_.empty() ? end_ : starts_.front(); }

 private:
  uint64_t count_;
  std::deque<uint64_t> starts_;
  bool at_line_start_ = true;
  uint64_t end_ = 0;
};

Result<uint64_t> FindTail(ApiClient& api, const std::string& id, const std::string& process,
                          uint64_t lines) {
  const std::string target =
      Target(ProcessPath(id, process, "/output")).Add("follow", "false").text();
  EventSource source([&](const std::string& last_id) { return api.OpenEvents(target, last_id); });
  source.set_ends(true);
  OutputTracker tracker(std::nullopt);
  LastLines last(lines);
  while (!source.ended()) {
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      if (!source.ended()) source.Wait();
      continue;
    }
    // Of an error who prints the output is told.
    if (event->type == "exited" || event->type == "error") break;
    if (event->type != "stdout" && event->type != "stderr" && event->type != "gap") continue;
    const OutputPiece piece = TRY(tracker.Take(*event));
    last.Take(tracker.position() - piece.bytes.size(), piece.bytes);
  }
  return last.start();
}

Result<int> PrintLogs(ApiClient& api, const LogsOptions& options, const std::string& id,
                      const std::string& process, bool follow) {
  std::optional<uint64_t> from = options.from;
  if (options.tail) from = TRY(FindTail(api, id, process, *options.tail));
  return RunOutputSession(api, {.sandbox = id,
                                .process = process,
                                .from = from,
                                .control = false,
                                .follow = follow,
                                .quiet = true});
}

bool RanSince(const json::object& process, const std::optional<int64_t>& since) {
  const auto ended = ParseTime(TextOf(process, "ended_at"));
  return !since || !ended || *ended >= *since;
}

bool Runs(const json::object& process) { return TextOf(process, "state") == "running"; }

// The one that runs comes last, so that it can be followed.
Result<std::vector<json::object>> ProcessesToShow(ApiClient& api, const LogsOptions& options,
                                                  const std::string& id) {
  std::vector<json::object> shown;
  std::vector<json::object> running;
  const json::object answer = TRY(api.Get(SandboxPath(id, "/processes")));
  for (const json::value& entry : ArrayOf(answer, "processes")) {
    if (!entry.is_object() || !RanSince(entry.get_object(), options.since)) continue;
    (Runs(entry.get_object()) ? running : shown).push_back(entry.get_object());
  }
  if (options.follow && running.size() > 1) {
    return Failure(Error::Invalid(std::to_string(running.size()) +
                                  " processes run, and only one can be followed")
                       .WithRemedy("cay ps " + id + " lists them"));
  }
  shown.insert(shown.end(), running.begin(), running.end());
  return shown;
}

Result<int> PrintAllLogs(ApiClient& api, const LogsOptions& options, const std::string& id) {
  const auto processes = TRY(ProcessesToShow(api, options, id));
  for (const json::object& process : processes) {
    const std::string name = ProcessIdOf(process);
    // As tail's, of several files.
    if (processes.size() > 1) {
      TRY(Print(std::string(&process == processes.data() ? "" : "\n") + "==> " + name + ": " +
                Cell(process, "command") + " <==\n"));
    }
    const bool follow = options.follow && Runs(process);
    const auto printed = PrintLogs(api, options, id, name, follow);
    const bool is_gone = !printed && (printed.error().code() == ErrorCode::kNotFound ||
                                      printed.error().code() == ErrorCode::kIllegalState);
    if (!printed && !is_gone) return printed;
    if (is_gone) Note("process " + name + ": its output is no longer held");
    if (follow && printed) return printed;
  }
  return 0;
}

Result<int> LogsMain(ApiClient& api, LogsOptions& options, Positionals& rest) {
  if (options.from && (options.tail || rest.values.size() == 1)) {
    return Failure(Error::Invalid(options.tail ? "--from and --tail contradict each other"
                                               : "--from needs a PROCESS")
                       .WithRemedy("cay logs --from SEQ SANDBOX PROCESS"));
  }
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  if (rest.values.size() == 1) return PrintAllLogs(api, options, id);
  const std::string& process = rest.values[1];
  if (options.since && !RanSince(TRY(api.Get(ProcessPath(id, process))), options.since)) return 0;
  return PrintLogs(api, options, id, process, options.follow);
}

Result<void> SetFrom(LogsOptions& options, std::string_view value) {
  options.from = TRY(ParseUnsigned(value));
  return {};
}

Result<void> SetTail(LogsOptions& options, std::string_view value) {
  options.tail.reset();
  if (value != "all") options.tail = TRY(ParseUnsigned(value, kMaxTail));
  return {};
}

// A moment, or so long ago.
Result<void> SetSince(LogsOptions& options, std::string_view value) {
  options.since = ParseTime(value);
  // A date alone is its beginning.
  if (!options.since) options.since = ParseTime(std::string(value) + "T00:00:00Z");
  if (!options.since) options.since = UnixMs() - TRY(ParseDuration(value)).count();
  return {};
}

constexpr OptionSpec kLogsOptions[] = {
    {.name = "follow",
     .short_name = 'f',
     .help = "Until the process ends",
     .apply = kFlag<LogsOptions, &LogsOptions::follow>},
    {.name = "tail",
     .short_name = 'n',
     .value = "LINES",
     .help = "Only the last lines (of each process)",
     .example = "20",
     .apply = &Into<LogsOptions, SetTail>},
    {.name = "since",
     .value = "TIME",
     .help = "Only of processes that ran since then: 10m ago, 2026-01-31 or 2026-01-31T12:00:00Z",
     .example = "10m",
     .apply = &Into<LogsOptions, SetSince>},
    {.name = "from",
     .value = "SEQ",
     .help = "From this sequence number on (default the oldest that is held)",
     .example = "0",
     .apply = &Into<LogsOptions, SetFrom>},
    kUrlOption<LogsOptions>,
    kApiKeyFileOption<LogsOptions>,
    kContextOption<LogsOptions>,
};

}  // namespace

constinit const Command kLogsCommand = {
    .name = "logs",
    .summary = "Print the output of processes, as far as the sandbox holds it",
    .usage = "[OPTIONS] SANDBOX [PROCESS]",
    .description =
        "Without PROCESS of all processes, one after the other, running ones last. Output has no\n"
        "times of its own: --since leaves out processes that ended before.\n",
    .options = kLogsOptions,
    .examples =
        "cay logs web\ncay logs --tail 20 web 3\ncay logs -f web 3\ncay logs --since 10m web\n",
    .min_arguments = 1,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .group = "Their processes",
    .run = &ParseAndCall<LogsOptions, LogsMain>,
};

}  // namespace cay::cli
