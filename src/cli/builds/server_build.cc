#include "cli/builds/server_build.h"

#include <poll.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <optional>

#include "base/encoding.h"
#include "build/packing/pack_context.h"
#include "cli/builds/build_upload.h"
#include "cli/builds/typed_context.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/signal_scope.h"
#include "cli/remote/change_options.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using build::BuildEvent;

constexpr int kExitBuildFailed = 1;  // a step did, as on this machine
constexpr const char* kBuilds = "/api/templates/builds";

// What only the server's configuration decides there.
Result<void> CheckForServer(const BuildOptions& options) {
  const build::StepLimits usual;
  const engine::Limits& limits = options.limits.limits;
  const auto refuse = [](const std::string& what, const std::string& keys) {
    return Failure(Error::Invalid("a server decides itself about " + what)
                       .WithRemedy("leave those options out; its configuration has " + keys));
  };
  if (options.has_cpus || limits.memory != usual.limits.memory ||
      limits.disk != usual.limits.disk || options.limits.timeout != usual.timeout)
    return refuse("the limits of steps",
                  "templates.build_memory, build_cpus, build_disk and "
                  "step_timeout");
  if (!options.registry.insecure.empty() || !options.registry.ca_file.empty())
    return refuse("registries", "[templates]");
  if (!options.ways.resolvers.empty() || !options.ways.proxy.empty())
    return refuse("the way to the network", "network.resolvers and network.proxy");
  if (!options.authorities.empty()) {
    return Failure(Error::Invalid("steps of a server's builds trust what their layers say")
                       .WithRemedy("leave --ca out, or build it where the server runs, with "
                                   "--state-dir"));
  }
  return {};
}

json::object ObjectOf(const StringMap& map) {
  json::object object;
  for (const auto& [name, value] : map) object[name] = value;
  return object;
}

// `context`: of an archive its Dockerfile is in it, and keeps its name.
json::object OptionsObject(const BuildOptions& options, const TypedContext& context) {
  json::object object = {{"no_cache", options.no_cache}};
  if (context.opened) {
    object["dockerfile"] = build::kPackedDockerfile;
    object["file_name"] = ToUtf8Lossy(context.opened->file_name);
  } else if (!options.file.empty()) {
    object["dockerfile"] = options.file;
  }
  if (options.pull) object["pull"] = true;
  json::array names(options.tags.begin(), options.tags.end());
  object["names"] = std::move(names);
  if (!options.target.empty()) object["target"] = options.target;
  if (options.platform) object["platform"] = options.platform->Text();
  object["args"] = ObjectOf(options.build_args);
  object["labels"] = ObjectOf(options.labels);
  json::object& secrets = object["secrets"].emplace_object();
  for (const auto& [id, content] : options.secrets) secrets[id] = NameValue(content);
  if (options.network.mode != network::Mode::kNone) {
    AskedNetwork asked;
    static_cast<network::Spec&>(asked) = options.network;
    object["network"] = NetworkObject(asked);
  }
  return object;
}

Result<std::string> Begin(ApiClient& api, const BuildOptions& options, TypedContext context) {
  const std::string asked = TRY(JsonBody(OptionsObject(options, context)));
  BuildUpload upload = TRY(context.opened ? BuildUpload::Start(asked, *std::move(context.opened))
                                          : BuildUpload::Start(asked, std::move(context.archive)));
  http::ClientRequest request;
  request.method = "POST";
  request.target = kBuilds;
  request.headers.Add("Content-Type", upload.content_type());
  request.source = [&](std::span<char> space) { return upload.Read(space); };
  const auto response = TRY(api.Send(std::move(request)));
  return TextOf(TRY(ParseJsonObject(TRY(response->ReadAll(kMaxAnswerBytes)))), "id");
}

// The server's events as those of a build here: each "began" says what a step is.
class Follower {
 public:
  explicit Follower(BuildPrinter& printer) : printer_(printer) {}

  void Take(const ServerEvent& event, const json::object& data) {
    if (event.type == "dropped") {
      printer_.Take({.kind = BuildEvent::Kind::kNote,
                     .text = std::to_string(NumberOf<uint64_t>(data, "events").value_or(0)) +
                             " events were too old to be told again"});
      return;
    }
    std::optional<BuildEvent::Kind> kind;
    for (const auto known : kKinds)
      if (event.type == build::BuildEventName(known)) kind = known;
    if (!kind) return;  // a newer server's
    BuildEvent told{.kind = *kind};
    const size_t id = NumberOf<size_t>(data, "step").value_or(0);
    if (*kind == BuildEvent::Kind::kOutput) {
      told.step = steps_[id];
      told.step.id = id;
      told.stream =
          TextOf(data, "stream") == "stderr" ? OutputStream::kStderr : OutputStream::kStdout;
      const std::string bytes = TextOf(data, "text");
      told.bytes = bytes;
      return printer_.Take(told);
    }
    told.step = {.id = id,
                 .stage = TextOf(data, "stage"),
                 .number = NumberOf<size_t>(data, "number").value_or(0),
                 .of = NumberOf<size_t>(data, "of").value_or(0),
                 .text = TextOf(data, "instruction"),
                 .line = NumberOf<uint32_t>(data, "line").value_or(0)};
    told.text = TextOf(data, "text");
    told.took = Millis(NumberOf<int64_t>(data, "duration_ms").value_or(0));
    told.failed = IsTrue(data, "failed");
    if (id != 0) steps_[id] = told.step;
    printer_.Take(told);
  }
  // The last one of that instruction.
  build::StepLabel StepOf(const json::object& failure) const {
    build::StepLabel found{.stage = TextOf(failure, "stage"),
                           .text = TextOf(failure, "instruction"),
                           .line = NumberOf<uint32_t>(failure, "line").value_or(0)};
    for (const auto& [id, step] : steps_)
      if (step.stage == found.stage && step.line == found.line && step.text == found.text)
        found = step;
    return found;
  }

 private:
  static constexpr std::array kKinds = {BuildEvent::Kind::kWarning, BuildEvent::Kind::kBegan,
                                        BuildEvent::Kind::kOutput,  BuildEvent::Kind::kNote,
                                        BuildEvent::Kind::kCached,  BuildEvent::Kind::kEnded,
                                        BuildEvent::Kind::kWriting};
  static bool IsTrue(const json::object& data, std::string_view name) {
    const json::value* value = data.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
  }

  BuildPrinter& printer_;
  std::map<size_t, build::StepLabel> steps_;
};

struct Outcome {
  json::object build;
  int signal = 0;  // at which it was cancelled; 0: none
};

// Until its end, or the second signal.
Result<Outcome> Follow(ApiClient& api, const std::string& id, Follower& follower,
                       CallersSignals& signals) {
  const std::string path = std::string(kBuilds) + "/" + EncodeComponent(id);
  EventSource source(
      [&](const std::string& last_id) { return api.OpenEvents(path + "/events", last_id); });
  Outcome outcome;
  while (true) {
    while (const auto signal = signals.Next(nullptr)) {
      outcome.signal = signal->signal;
      if (signal->kind == CallersSignal::Kind::kEndNow) return outcome;
      // One that has ended meanwhile is told of all the same.
      if (signal->kind == CallersSignal::Kind::kEnd) static_cast<void>(api.Call("DELETE", path));
    }
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      pollfd polled[2] = {{source.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
      ::poll(polled, 2, source.WaitMillis());
      continue;
    }
    json::object data = TRY(EventData(*event));
    if (event->type == "error") return Failure(ProblemError(data, event->data));
    if (event->type != "end") {
      follower.Take(*event, data);
      continue;
    }
    if (TextOf(data, "state").empty()) continue;  // the server ends; the next one knows of it
    outcome.build = std::move(data);
    return outcome;
  }
}

build::StepFailure FailureOf(const json::object& failure, const Follower& follower) {
  const auto is = [&](const char* name) {
    const json::value* value = failure.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
  };
  build::StepFailure told{.step = follower.StepOf(failure)};
  told.end.exit_code = NumberOf<int>(failure, "exit_code").value_or(0);
  told.end.signal = NumberOf<int>(failure, "signal").value_or(0);
  told.end.timed_out = is("timed_out");
  told.end.oom_killed = is("oom_killed");
  told.end.disk_full = is("disk_full");
  told.output_end = TextOf(failure, "output");
  return told;
}

Result<void> PrintBuilt(const json::object& build, const BuildOptions& options) {
  const uint64_t steps = NumberOf<uint64_t>(build, "steps").value_or(0);
  const uint64_t cached = NumberOf<uint64_t>(build, "cached").value_or(0);
  const json::array& made = ArrayOf(build, "templates");
  if (options.json) {
    json::array names;
    uint64_t size = 0;
    for (const json::value& one : made) {
      if (!one.is_object()) continue;
      names.emplace_back(TextOf(one.get_object(), "name"));
      size = NumberOf<uint64_t>(one.get_object(), "size").value_or(0);
    }
    return Print(LineJson(json::object{
                     {"templates", names}, {"size", size}, {"steps", steps}, {"cached", cached}}) +
                 "\n");
  }
  for (const json::value& one : made) {
    if (!one.is_object()) continue;
    const std::string name = OneLine(TextOf(one.get_object(), "name"));
    if (options.quiet) {
      TRY(Print(name + "\n"));
      continue;
    }
    TRY(Print("built " + name + " (" + BytesCell(one.get_object(), "size") + "; " +
              std::to_string(cached) + " of " + std::to_string(steps) +
              " steps cached); try: cay create " + name + "\n"));
  }
  return {};
}

Result<int> Conclude(const Outcome& outcome, const BuildOptions& options, const Follower& follower,
                     BuildPrinter& printer) {
  const std::string state = TextOf(outcome.build, "state");
  if (state == "done") {
    TRY(PrintBuilt(outcome.build, options));
    return 0;
  }
  if (outcome.signal != 0 && state == "cancelled") return kExitSignalBase + outcome.signal;
  const json::value* failure = outcome.build.if_contains("failure");
  if (failure != nullptr && failure->is_object()) {
    printer.TakeFailure(FailureOf(failure->get_object(), follower),
                        TextOf(outcome.build, "dockerfile"));
    if (options.network.mode == network::Mode::kNone)
      Note("steps have no network unless you say so: --net open, --net pypi,npm, --allow HOST:443");
    return kExitBuildFailed;
  }
  // As of a build on this machine, whoever was asked.
  if (state == "failed")
    return ReportFailure(Error(ErrorCodeFromName(TextOf(outcome.build, "error_code")),
                               Fault::kCaller, TextOf(outcome.build, "error")),
                         /*asked=*/false);
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the build is " + state)
                     .WithRemedy("build it again: the steps that were finished are kept"));
}

}  // namespace

Result<int> BuildOnServer(ApiClient& api, BuildOptions& options, const std::string& typed) {
  TRY(CheckForServer(options));
  TypedContext context = TRY(OpenTypedContext(typed, options.file));
  const std::string id = TRY(Begin(api, options, std::move(context)));
  const SignalScope scope(false);
  CallersSignals signals = TRY(scope.Open());
  BuildPrinter printer(options.quiet || options.json ? BuildProgress::kQuiet : options.progress);
  Follower follower(printer);
  const auto outcome = Follow(api, id, follower, signals);
  printer.Clear();
  if (!outcome) return Failure(outcome.error());
  if (outcome->build.empty()) return kExitSignalBase + outcome->signal;
  return Conclude(*outcome, options, follower, printer);
}

}  // namespace cay::cli
