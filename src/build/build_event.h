// BuildEvent: what is told of a build while it goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "guest_link/process_stream.h"

namespace cay::build {

// Which instruction: "[build 2/5] RUN make".
struct StepLabel {
  size_t id = 0;        // of the build: each has its own, from 1
  std::string stage{};  // its name, or "stage-1"
  size_t number = 0;    // in the stage, from 1: the FROM
  size_t of = 0;
  std::string text{};  // the instruction in one line, as far as it is short
  uint32_t line = 0;   // of the file; 0: of an image's ONBUILD
};

struct BuildEvent {
  enum class Kind : uint8_t {
    kWarning,  // text; step.line
    kBegan,    // step
    kOutput,   // step, stream, bytes
    kNote,     // step, text: what is being done, what was left out
    kCached,   // step: it need not be done
    kEnded,    // step, ms; failed
    kWriting,  // text: the template is being put together
  };
  Kind kind = Kind::kNote;
  StepLabel step{};
  std::string text{};
  OutputStream stream = OutputStream::kStdout;
  std::string_view bytes{};  // valid during the call
  Millis took{};
  bool failed = false;
};
std::string_view BuildEventName(BuildEvent::Kind kind);  // "warning", …

// One call at a time, from any thread. It must not wait for long: the build waits with it.
using BuildWatch = std::function<void(const BuildEvent&)>;

}  // namespace cay::build
