#include "sandbox/records/startup_json.h"

#include <algorithm>
#include <boost/json.hpp>

#include "json/json_members.h"

namespace cay::sandbox {
namespace {

namespace json = boost::json;
using Kind = AskedEntrypoint::Kind;

json::array ArrayOfTexts(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

std::vector<std::string> TextsOf(const json::array& array) {
  std::vector<std::string> texts;
  for (const json::value& value : array)
    if (value.is_string()) texts.emplace_back(value.get_string());
  return texts;
}

json::object CheckObject(const CheckPlan& plan) {
  return {{"argv", ArrayOfTexts(plan.argv)},
          {"interval_ms", plan.interval.count()},
          {"timeout_ms", plan.timeout.count()},
          {"start_period_ms", plan.start_period.count()},
          {"start_interval_ms", plan.start_interval.count()},
          {"retries", plan.retries}};
}

std::optional<CheckPlan> ReadCheck(const json::object& object) {
  CheckPlan plan;
  plan.argv = TextsOf(ArrayOf(object, "argv"));
  if (plan.argv.empty()) return std::nullopt;
  const auto time = [&](const char* name, Millis& value) {
    const auto ms = NumberOf<int64_t>(object, name);
    if (ms && *ms >= 0) value = Millis(*ms);
  };
  time("interval_ms", plan.interval);
  time("timeout_ms", plan.timeout);
  time("start_period_ms", plan.start_period);
  time("start_interval_ms", plan.start_interval);
  plan.retries = NumberOf<uint32_t>(object, "retries").value_or(plan.retries);
  return plan;
}

// One of a newer program: how it is, is not known.
StartupState StateOf(std::string_view name) {
  const auto found = std::ranges::find(kStartupStateNames, name);
  if (found == kStartupStateNames.end()) return StartupState::kLost;
  return static_cast<StartupState>(found - kStartupStateNames.begin());
}

}  // namespace

void WriteAsked(const AskedEntrypoint& asked, std::string_view name, json::object& object) {
  switch (asked.kind) {
    case Kind::kLeftOut:
      return;
    case Kind::kNone:
      object[name] = false;
      return;
    case Kind::kImages:
      object[name] = true;
      return;
    case Kind::kOwn:
      object[name] = ArrayOfTexts(asked.argv);
      return;
  }
}

AskedEntrypoint ReadAsked(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr) return {};
  if (value->is_bool()) {
    return {.kind = value->get_bool() ? Kind::kImages : Kind::kNone, .argv = {}};
  }
  if (value->is_array()) return {.kind = Kind::kOwn, .argv = TextsOf(value->get_array())};
  return {};
}

json::object StartupObject(const Startup& startup) {
  json::object object{{"command", ArrayOfTexts(startup.plan.command)},
                      {"stop_signal", startup.plan.stop_signal},
                      {"state", StartupStateName(startup.state)},
                      {"process", startup.process},
                      {"guest_process", startup.guest_process},
                      {"started_ms", startup.started_unix_ms},
                      {"ended_ms", startup.ended_unix_ms}};
  if (startup.plan.check) object["check"] = CheckObject(*startup.plan.check);
  if (!startup.reason.empty()) object["reason"] = startup.reason;
  if (startup.exit_code) object["exit_code"] = *startup.exit_code;
  if (startup.signal) object["signal"] = *startup.signal;
  return object;
}

std::optional<Startup> ReadStartup(const json::object& object) {
  Startup startup;
  startup.plan.command = TextsOf(ArrayOf(object, "command"));
  if (startup.plan.command.empty()) return std::nullopt;
  startup.plan.stop_signal =
      NumberOf<uint32_t>(object, "stop_signal").value_or(startup.plan.stop_signal);
  startup.plan.check = ReadCheck(ObjectOf(object, "check"));
  startup.state = StateOf(TextOf(object, "state"));
  startup.process = NumberOf<uint64_t>(object, "process").value_or(0);
  startup.guest_process = NumberOf<uint64_t>(object, "guest_process").value_or(0);
  startup.reason = TextOf(object, "reason");
  startup.exit_code = NumberOf<int32_t>(object, "exit_code");
  startup.signal = NumberOf<uint32_t>(object, "signal");
  startup.started_unix_ms = NumberOf<int64_t>(object, "started_ms").value_or(0);
  startup.ended_unix_ms = NumberOf<int64_t>(object, "ended_ms").value_or(0);
  return startup;
}

}  // namespace cay::sandbox
