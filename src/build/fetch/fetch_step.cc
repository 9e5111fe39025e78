#include "build/fetch/fetch_step.h"

#include <algorithm>
#include <utility>

#include "archive/safe_path.h"
#include "build/run/step_trust.h"

namespace cay::build {
namespace {

constexpr size_t kErrorLines = 3;

// What the template `host` is made of, below the step's own layer.
Result<std::vector<std::string>> StandOn(const templates::Template& host, RunStep& step) {
  const auto& overlays = engine::HostLayersOf(host.root).overlays;
  for (const engine::Overlay& overlay : overlays) {
    if (overlay.target == "/") continue;
    step.mounts.push_back({.target = overlay.target, .layers = overlay.layers, .read_only = true});
  }
  if (overlays.empty() || overlays.front().target != "/") {
    return Failure(Error(ErrorCode::kInternal, Fault::kMachine,
                         "the template \"host\" has no layers of its own"));
  }
  return overlays.front().layers;
}

StepLimits LimitsOf(const StepLimits& limits) {
  StepLimits bounded = limits;
  if (bounded.timeout <= Millis(0) || bounded.timeout > kMaxFetchTime)
    bounded.timeout = kMaxFetchTime;
  return bounded;
}

}  // namespace

void FetchLines::Add(std::string_view bytes) {
  for (const char c : bytes) {
    const bool is_end = c == '\n' || c == '\r';
    if (!is_end) line_.push_back(c);
    if (is_end || line_.size() == kMaxFetchLine) Finish();
  }
}

void FetchLines::Finish() {
  if (!line_.empty()) take_(line_);
  line_.clear();
}

Result<FetchEnd> RunFetch(const FetchTools& tools, RunStep step, const FetchLine& out) {
  if (tools.network == nullptr) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller, "this build has no network")
                       .WithRemedy("give it one that reaches what it fetches: --net open, or "
                                   "--allow HOST:443"));
  }
  const templates::Template host = TRY(tools.store.Find("host"));
  const std::vector<std::string> below = TRY(StandOn(host, step));
  templates::LayerStore layers = tools.store.layers();
  step.cwd = "/" + std::string(kFetchedDirectory);
  step.user = "0";
  step.network = true;
  step.env.emplace_back(templates::kDefaultPath);
  step.env.insert(step.env.end(), {"HOME=/tmp", "LANG=C"});
  if (!tools.authorities.empty()) Trust(step, tools.authorities);
  FetchEnd fetched{.layer = TRY(layers.Begin())};
  const FetchLine on_error = [&](std::string_view line) {
    if (fetched.errors.size() == kErrorLines) fetched.errors.erase(fetched.errors.begin());
    fetched.errors.push_back(archive::Printable(line));
    if (tools.note) tools.note(fetched.errors.back());
  };
  FetchLines out_lines(out);
  FetchLines error_lines(on_error);
  StepRunner runner(tools.engine, layers,
                    {.limits = LimitsOf(tools.limits), .network = tools.network}, tools.stop);
  fetched.end = TRY(runner.Run(
      step, below, fetched.layer.root(), [&](OutputStream stream, std::string_view bytes) {
        (stream == OutputStream::kStdout ? out_lines : error_lines).Add(bytes);
      }));
  out_lines.Finish();
  error_lines.Finish();
  return fetched;
}

Error FetchError(const FetchTools& tools, const FetchEnd& end, const std::string& shown) {
  const auto error = [&](ErrorCode code, const std::string& why) {
    return Error(code, Fault::kCaller, "ADD of " + shown + ": " + why);
  };
  if (end.end.timed_out) {
    return error(ErrorCode::kTimeout, "it takes longer than " +
                                          FormatDuration(LimitsOf(tools.limits).timeout) +
                                          ", which is the maximum");
  }
  if (end.end.disk_full) {
    return error(ErrorCode::kLimitTooHigh,
                 "it is larger than a step's disk, " + HumanBytes(tools.limits.limits.disk));
  }
  if (end.end.oom_killed)
    return error(ErrorCode::kLimitTooHigh, "fetching it needs more than a step's memory");
  if (!end.errors.empty()) return error(ErrorCode::kUnavailable, end.errors.back());
  return error(ErrorCode::kUnavailable,
               end.end.signal != 0
                   ? "what fetches it was ended by signal " + std::to_string(end.end.signal)
                   : "what fetches it ended with code " + std::to_string(end.end.exit_code));
}

Error&& WithNetworkRemedy(Error&& error) {
  if (!error.remedy().empty()) return std::move(error);
  return std::move(error).WithRemedy(
      "if it is the build's network that does not let it be reached: --net open, or --allow "
      "HOST:443");
}

}  // namespace cay::build
