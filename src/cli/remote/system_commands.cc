// cay stats, cay top, cay system: what sandboxes and the server use.
#include <poll.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <map>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/terminal_mode.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct TopOptions : ServerOptions {
  Millis interval{2000};
  bool once = false;
};

// Of a sandbox at one moment, and its processor time at the moment before.
struct Sample {
  json::object sandbox;
  json::object stats;
};

struct CpuMark {
  int64_t cpu_ms = 0;
  int64_t at_ms = 0;
};
using CpuMarks = std::map<std::string, CpuMark>;

// "12%": of one processor, since the mark; "-" at first.
std::string CpuShare(const Sample& sample, CpuMarks& marks, int64_t now_ms) {
  const std::optional<int64_t> cpu_ms = NumberOf(sample.stats, "cpu_ms");
  if (!cpu_ms) return "-";
  const std::string id = TextOf(sample.sandbox, "id");
  const auto mark = marks.find(id);
  std::string share = "-";
  if (mark != marks.end() && now_ms > mark->second.at_ms && *cpu_ms >= mark->second.cpu_ms) {
    share =
        std::to_string((*cpu_ms - mark->second.cpu_ms) * 100 / (now_ms - mark->second.at_ms)) + "%";
  }
  marks[id] = {*cpu_ms, now_ms};
  return share;
}

std::string RenderSamples(const std::vector<Sample>& samples, CpuMarks& marks) {
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "STATE", "CPU", "CPU TIME", "MEMORY", "LIMIT", "PEAK", "PIDS", "DISK"}};
  for (const Sample& sample : samples) {
    const std::optional<int64_t> cpu_ms = NumberOf(sample.stats, "cpu_ms");
    rows.push_back({Cell(sample.sandbox, "id"), Cell(sample.sandbox, "name"),
                    Cell(sample.sandbox, "state"), CpuShare(sample, marks, now),
                    cpu_ms ? FormatDuration(Millis(*cpu_ms)) : "-",
                    BytesCell(sample.stats, "memory_bytes"), Cell(sample.sandbox, "memory_limit"),
                    BytesCell(sample.stats, "memory_peak_bytes"), Cell(sample.stats, "pids"),
                    BytesCell(sample.stats, "disk_bytes")});
  }
  return FormatTable(rows);
}

// Of all sandboxes; of those that have none just now, because they stopped or are gone, none.
Result<std::vector<Sample>> TakeSamples(ApiClient& api) {
  std::vector<Sample> samples;
  for (const json::value& entry : TRY(api.ListSandboxes())) {
    Sample sample{.sandbox = entry.get_object(), .stats = {}};
    Result<json::object> stats = api.Get(SandboxPath(TextOf(sample.sandbox, "id"), "/stats"));
    if (stats) {
      sample.stats = *std::move(stats);
    } else if (stats.error().code() == ErrorCode::kNotFound) {
      continue;
    } else if (stats.error().code() != ErrorCode::kIllegalState) {
      return Failure(std::move(stats).error());
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::string RenderSamplesJson(const std::vector<Sample>& samples) {
  json::array list;
  for (const Sample& sample : samples) {
    json::object entry = sample.stats;
    entry["id"] = TextOf(sample.sandbox, "id");
    entry["state"] = TextOf(sample.sandbox, "state");
    list.push_back(std::move(entry));
  }
  return json::serialize(list) + "\n";
}

// As many lines as the terminal has.
std::string FitToWindow(const std::string& table) {
  const size_t rows = GetWindowSize(STDOUT_FILENO).value_or(WindowSize()).rows;
  size_t end = 0;
  for (size_t line = 0; line + 1 < rows && end != std::string::npos; ++line) {
    end = table.find('\n', end);
    if (end != std::string::npos) ++end;
  }
  return table.substr(0, end);
}

// The share of the processors is what was used between two looks.
constexpr Millis kFirstLook{500};

void Pause(Millis time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

void Mark(const std::vector<Sample>& samples, CpuMarks& marks) {
  const int64_t now = UnixMs();
  for (const Sample& sample : samples) CpuShare(sample, marks, now);
}

Result<int> TopMain(ApiClient& api, TopOptions& options, Positionals&) {
  ::signal(SIGPIPE, SIG_DFL);
  const bool redraw = ::isatty(STDOUT_FILENO) == 1 && !options.json && !options.once;
  const bool once = options.once || (!redraw && !options.json);
  CpuMarks marks;
  if (!options.json) {
    Mark(TRY(TakeSamples(api)), marks);
    Pause(kFirstLook);
  }
  std::string table;
  for (bool first = true;; first = false) {
    const Result<std::vector<Sample>> samples = TakeSamples(api);
    if (samples) {
      table = options.json ? RenderSamplesJson(*samples) : RenderSamples(*samples, marks);
      TRY(Print(redraw ? "\x1b[H\x1b[2J" + FitToWindow(table) : table));
    } else if ((first && options.json) || once ||
               samples.error().code() == ErrorCode::kPermissionDenied) {
      return Failure(samples.error());
    } else {
      // A server that is restarted comes back; until then what was seen last stays.
      if (redraw) TRY(Print("\x1b[H\x1b[2J" + FitToWindow("\n" + table) + "\x1b[H"));
      Note(samples.error().message() + "; trying again");
    }
    if (once) return 0;
    Pause(options.interval);
  }
}

struct Picked {
  std::vector<Sample> samples;
  int code = 0;  // 1 when one of those that were named could not be had
};

Result<Picked> Pick(ApiClient& api, const Positionals& rest) {
  Picked picked;
  if (rest.values.empty()) picked.samples = TRY(TakeSamples(api));
  picked.code = TRY(ForEachSandbox(api, rest, [&](const std::string& id) -> Result<void> {
    json::object sandbox = TRY(api.Get(SandboxPath(id)));
    json::object stats = TRY(api.Get(SandboxPath(id, "/stats")));
    picked.samples.push_back({.sandbox = std::move(sandbox), .stats = std::move(stats)});
    return {};
  }));
  return picked;
}

Result<int> StatsMain(ApiClient& api, ServerOptions& options, Positionals& rest) {
  auto [samples, code] = TRY(Pick(api, rest));
  if (samples.empty() && code != 0) return code;  // there is nothing to show of what is not there
  CpuMarks marks;
  if (!options.json) {
    Mark(samples, marks);
    Pause(kFirstLook);
    for (Sample& sample : samples) {
      auto stats = api.Get(SandboxPath(TextOf(sample.sandbox, "id"), "/stats"));
      if (stats) sample.stats = *std::move(stats);
    }
  }
  TRY(Print(options.json ? RenderSamplesJson(samples) : RenderSamples(samples, marks)));
  return code;
}

void AppendLine(std::string& out, std::string_view name, const std::string& value) {
  out.append(name).append(name.size() < 12 ? 12 - name.size() : 1, ' ').append(value).append("\n");
}

Result<int> SystemMain(ApiClient& api, ServerOptions& options, Positionals&) {
  const json::object system = TRY(api.Get("/api/system"));
  if (options.json) {
    TRY(Print(PrettyJson(system)));
    return 0;
  }
  std::string out;
  AppendLine(out, "server", api.connection().url);
  for (const std::string_view key : {"version", "uptime", "engine", "state_dir"}) {
    if (system.contains(key)) AppendLine(out, key, Cell(system, key));
  }
  std::string counts;
  for (const auto& [state, count] : ObjectOf(system, "sandboxes")) {
    counts += (counts.empty() ? "" : ", ") + json::serialize(count) + " " + OneLine(state);
  }
  AppendLine(out, "sandboxes", counts.empty() ? "none" : counts);
  for (const json::value& entry : ArrayOf(system, "pools")) {
    if (!entry.is_object()) continue;
    const json::object& pool = entry.get_object();
    AppendLine(out, "pool", Cell(pool, "template") + ": " + Cell(pool, "ready") + " ready");
  }
  TRY(Print(out));
  return 0;
}

Result<void> SetInterval(TopOptions& options, std::string_view value) {
  options.interval = TRY(ParseDuration(value));
  if (options.interval >= Millis(100) && options.interval <= std::chrono::hours(1)) return {};
  return Failure(Error::Invalid("it is not between 100ms and 1h"));
}

constexpr OptionSpec kTopOptions[] = {
    {.name = "interval",
     .short_name = 'n',
     .value = "TIME",
     .help = "How often (default 2s)",
     .example = "5s",
     .apply = &Into<TopOptions, SetInterval>},
    {.name = "once",
     .help = "Print one table and end (as when the output is not a terminal)",
     .apply = kFlag<TopOptions, &TopOptions::once>},
    {.name = "json",
     .help = "Print a JSON array a line",
     .apply = kFlag<TopOptions, &TopOptions::json>},
    kUrlOption<TopOptions>,
    kApiKeyFileOption<TopOptions>,
    kContextOption<TopOptions>,
};

constexpr const Command* kSystemCommands[] = {&kSystemDfCommand, &kSystemPruneCommand};

constexpr OptionSpec kOptions[] = {
    kJsonOption<ServerOptions>,
    kUrlOption<ServerOptions>,
    kApiKeyFileOption<ServerOptions>,
    kContextOption<ServerOptions>,
};

}  // namespace

constinit const Command kTopCommand = {
    .name = "top",
    .summary = "Watch what sandboxes use",
    .usage = "[OPTIONS]",
    .options = kTopOptions,
    .examples = "cay top\ncay top --json --interval 10s >> use.jsonl\n",
    .run = &ParseAndCall<TopOptions, TopMain>,
};

constinit const Command kStatsCommand = {
    .name = "stats",
    .summary = "Say what sandboxes use: memory, processor, processes, disk",
    .usage = "[OPTIONS] [SANDBOX...]",
    .options = kOptions,
    .examples = "cay stats\ncay stats --json web\n",
    .max_arguments = 1000,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<ServerOptions, StatsMain>,
};

constinit const Command kSystemCommand = {
    .name = "system",
    .summary = "Print what the server is, and what it has",
    .usage = "[COMMAND] [OPTIONS]",
    .options = kOptions,
    .examples = "cay system\ncay system --json\ncay system df\ncay system prune --dry-run\n",
    .subcommands = kSystemCommands,
    .run = &ParseAndCall<ServerOptions, SystemMain>,
};

}  // namespace cay::cli
