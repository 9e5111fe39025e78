#include "engine/factory/factory.h"

#include <algorithm>
#include <array>

#include "engine/native/native_engine.h"
#include "engine/native/native_survey.h"

namespace cay::engine {
namespace {

static_assert(kMostAtATime == native::kMaxLaunchers);

Result<std::unique_ptr<Engine>> MakeNative(const EngineOptions& options) {
  native::NativeEngineOptions native;
  native.paths = options.paths;
  native.sole = options.sole;
  native.one_shot = options.one_shot;
  native.patience = options.patience;
  native.launchers = options.at_a_time;
  native.disk_ahead = options.expected;
  native.diagnosis = options.diagnosis;
  native.fork_with_guest = options.fork_with_guest;
  return TRY(native::NativeEngine::Start(native));
}

std::unique_ptr<Survey> SurveyNative(const Paths& paths) {
  return std::make_unique<native::NativeSurvey>(paths);
}

struct Kind {
  std::string_view name;
  Result<std::unique_ptr<Engine>> (*make)(const EngineOptions& options);
  std::unique_ptr<Survey> (*survey)(const Paths& paths);
};
constexpr std::array kKinds = {Kind{kUsualEngine, &MakeNative, &SurveyNative}};

Result<const Kind*> Find(std::string_view name) {
  const auto kind = std::ranges::find(kKinds, name, &Kind::name);
  if (kind != kKinds.end()) return &*kind;
  std::string known;
  for (const Kind& one : kKinds) known.append(known.empty() ? "" : ", ").append(one.name);
  return Failure(Error::Invalid("there is no engine " + std::string(name.substr(0, 64)))
                     .WithRemedy("use one of: " + known));
}

}  // namespace

std::vector<std::string_view> EngineNames() {
  std::vector<std::string_view> names;
  for (const Kind& kind : kKinds) names.push_back(kind.name);
  return names;
}

Result<std::unique_ptr<Engine>> Make(std::string_view name, const EngineOptions& options) {
  return TRY(Find(name))->make(options);
}

Result<std::unique_ptr<Survey>> MakeSurvey(std::string_view name, const Paths& paths) {
  return TRY(Find(name))->survey(paths);
}

}  // namespace cay::engine
