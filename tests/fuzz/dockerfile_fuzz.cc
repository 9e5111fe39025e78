// Dockerfiles, which whoever asks for a build writes: whatever the text, it is refused, or what was
// read is within every bound, is read again from its own lines as the same, and can be gone through
// to an image's configuration.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/image_changes.h"
#include "template/dockerfile/stages.h"

namespace {

namespace df = cay::templates::dockerfile;

void Check(bool condition) {
  if (!condition) std::abort();
}

// Of an error, for people.
void CheckMessage(const cay::Error& error) {
  Check(!error.message().empty());
  Check(error.code() == cay::ErrorCode::kInvalidArgument ||
        error.code() == cay::ErrorCode::kLimitTooHigh ||
        error.code() == cay::ErrorCode::kNotSupported);  // of digests
}

void CheckSource(std::string_view text, const df::Dockerfile& file) {
  const auto lines = static_cast<size_t>(std::ranges::count(text, '\n')) + 1;
  uint32_t last = 0;
  size_t place = 0;
  for (const df::Instruction& instruction : file.instructions) {
    Check(instruction.first_line > last && instruction.last_line >= instruction.first_line);
    last = instruction.last_line;
    Check(last <= lines);
    place = text.find(instruction.source, place);
    Check(place != std::string_view::npos);
    place += instruction.source.size();
    const auto again = df::ParseInstruction(instruction.source, file.escape);
    Check(again && again->value == instruction.value);
    Check(again->last_line == instruction.last_line - instruction.first_line + 1);
  }
}

void GoThrough(const df::Stage& stage, df::StageVariables& variables, df::ImageChanges& changes) {
  for (const auto* list : {&stage.triggers}) {
    for (const df::Instruction& instruction : *list) (void)variables.Step(instruction);
  }
  for (const df::Instruction& instruction : stage.instructions) {
    const auto expanded = variables.Step(instruction);
    if (!expanded) {
      CheckMessage(expanded.error());
      continue;
    }
    Check(expanded->instruction.value.index() == instruction.value.index());
    Check(variables.all().size() <= df::kMaxVariables + df::kMaxExpandedInstruction);
    if (const auto changed = changes.Apply(expanded->instruction); !changed) {
      CheckMessage(changed.error());
      return;
    }
  }
  Check(changes.config().process.working_dir.empty() ||
        changes.config().process.working_dir.starts_with('/'));
}

void CheckStages(const df::Dockerfile& file) {
  const auto stages =
      df::Stages::Of(file, {.target = "", .build_args = {{"A", "a b"}, {"B", "$A"}}});
  if (!stages) {
    CheckMessage(stages.error());
    return;
  }
  Check(!stages->order().empty() && stages->order().back() == stages->target());
  std::map<size_t, std::pair<df::StageVariables, df::ImageChanges>> ended;
  for (const size_t index : stages->order()) {
    const df::Stage& stage = stages->all()[index];
    Check(stage.base.has_value() == stage.image.empty());
    for (const size_t need : stage.needs) Check(need < index && ended.contains(need));
    df::StageVariables variables(*stages, {"PATH=/bin", "E="});
    cay::templates::oci::ImageConfig config;
    if (stage.base) {
      variables = ended.at(*stage.base).first;
      config = ended.at(*stage.base).second.config();
    }
    df::ImageChanges changes(std::move(config));
    GoThrough(stage, variables, changes);
    ended.emplace(index, std::pair(std::move(variables), std::move(changes)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = df::ParseDockerfile(text);
  if (!file) {
    CheckMessage(file.error());
    return 0;
  }
  CheckSource(text, *file);
  CheckStages(*file);
  return 0;
}
