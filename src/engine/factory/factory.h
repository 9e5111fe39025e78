// The engines that there are, by name.
//
//   auto engine = TRY(engine::Make(engine::kUsualEngine, {.paths = TRY(Paths::Resolve())}));
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/guest_main.h"
#include "engine/survey.h"

namespace cay::engine {

inline constexpr std::string_view kUsualEngine = "native";

// The most that EngineOptions::at_a_time can be.
inline constexpr size_t kMostAtATime = 16;

// What engines can be told at their start. An engine ignores what means nothing to it.
struct EngineOptions {
  Paths paths{};
  // The caller knows that no other engine has the state directory.
  bool sole = false;
  // For one ephemeral sandbox and not for long: takes over no persistent ones, and starts nothing
  // anew.
  bool one_shot = false;
  // How long one request may take.
  Millis patience{60'000};
  // How many requests it works on at a time: 1 to kMostAtATime.
  size_t at_a_time = 1;
  // The limits of the sandbox on disk that will be asked for first: it may be made ready meanwhile.
  std::optional<Limits> expected{};
  // For Engine::Diagnose: what Survey::Diagnose found.
  std::optional<Diagnosis> diagnosis{};
  // See native::NativeEngineOptions::fork_with_guest.
  GuestMain fork_with_guest = nullptr;
};

std::vector<std::string_view> EngineNames();

// kInvalidArgument for an unknown name, with the known ones.
Result<std::unique_ptr<Engine>> Make(std::string_view name, const EngineOptions& options);

// What that engine has under the state directory, and on the machine. The same errors.
Result<std::unique_ptr<Survey>> MakeSurvey(std::string_view name, const Paths& paths);

}  // namespace cay::engine
