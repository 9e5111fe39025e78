#include "cli/session/follow_build.h"

#include <poll.h>

#include <array>
#include <map>
#include <utility>

#include "base/encoding.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using build::BuildEvent;

constexpr const char* kBuilds = "/api/templates/builds";

// The server's events as those of a build here: each "began" says what a step is.
class Events {
 public:
  explicit Events(BuildPrinter& printer) : printer_(printer) {}

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

// Until its end, or the second signal.
Result<FollowedBuild> Follow(ApiClient& api, const std::string& id, Events& events,
                             CallersSignals& signals) {
  const std::string path = std::string(kBuilds) + "/" + EncodeComponent(id);
  EventSource source(
      [&](const std::string& last_id) { return api.OpenEvents(path + "/events", last_id); });
  FollowedBuild outcome;
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
      events.Take(*event, data);
      continue;
    }
    if (TextOf(data, "state").empty()) continue;  // the server ends; the next one knows of it
    outcome.build = std::move(data);
    return outcome;
  }
}

build::StepFailure FailureOf(const json::object& failure, const Events& events) {
  const auto is = [&](const char* name) {
    const json::value* value = failure.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
  };
  build::StepFailure told{.step = events.StepOf(failure)};
  told.end.exit_code = NumberOf<int>(failure, "exit_code").value_or(0);
  told.end.signal = NumberOf<int>(failure, "signal").value_or(0);
  told.end.timed_out = is("timed_out");
  told.end.oom_killed = is("oom_killed");
  told.end.disk_full = is("disk_full");
  told.output_end = TextOf(failure, "output");
  return told;
}

}  // namespace

Result<FollowedBuild> FollowBuild(ApiClient& api, const std::string& id, BuildPrinter& printer,
                                  CallersSignals& signals) {
  Events events(printer);
  FollowedBuild followed = TRY(Follow(api, id, events, signals));
  const json::value* failure = followed.build.if_contains("failure");
  if (failure != nullptr && failure->is_object())
    followed.failure = FailureOf(failure->get_object(), events);
  return followed;
}

}  // namespace cay::cli
