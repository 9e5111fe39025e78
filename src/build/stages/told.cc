#include "build/stages/told.h"

#include <array>
#include <utility>

namespace cay::build {

std::string_view BuildEventName(BuildEvent::Kind kind) {
  constexpr std::array<std::string_view, 7> kNames = {"warning", "began", "output", "note",
                                                      "cached",  "ended", "writing"};
  return kNames.at(static_cast<size_t>(kind));
}

void Told::Tell(const BuildEvent& event) {
  if (!watch_) return;
  const std::lock_guard lock(mutex_);
  watch_(event);
}

void Told::Warn(uint32_t line, const std::string& text) {
  BuildEvent event{.kind = BuildEvent::Kind::kWarning, .text = text};
  event.step.line = line;
  Tell(event);
}

void Told::Note(const StepLabel& step, const std::string& text) {
  Tell({.kind = BuildEvent::Kind::kNote, .step = step, .text = text});
}

size_t Told::NextId() {
  const std::lock_guard lock(mutex_);
  return ++last_id_;
}

void Told::CountStep(bool cached) {
  const std::lock_guard lock(mutex_);
  ++steps_;
  if (cached) ++cached_;
}

void Told::Fail(StepFailure failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
}

std::string Told::PlaceOf(const StepLabel& step) const {
  if (step.line == 0) return "ONBUILD of the image: " + step.text;
  return file_name_ + ":" + std::to_string(step.line) + ": " + step.text;
}

void Told::TakeInto(BuildEnd& end) {
  const std::lock_guard lock(mutex_);
  end.failure = std::move(failure_);
  end.steps = steps_;
  end.cached = cached_;
}

void OutputEnd::Add(std::string_view bytes) {
  if (bytes.size() > kMaxOutputEnd) {
    bytes.remove_prefix(bytes.size() - kMaxOutputEnd);
    kept_.clear();
    cut_ = true;
  }
  kept_.append(bytes);
  if (kept_.size() <= 2 * kMaxOutputEnd) return;
  kept_.erase(0, kept_.size() - kMaxOutputEnd);
  cut_ = true;
}

std::string OutputEnd::Text() const {
  const size_t over = kept_.size() - std::min<size_t>(kept_.size(), kMaxOutputEnd);
  std::string text = kept_.substr(over);
  if (!cut_ && over == 0) return text;
  const size_t line_end = text.find('\n');
  return line_end == std::string::npos ? text : text.substr(line_end + 1);
}

}  // namespace cay::build
