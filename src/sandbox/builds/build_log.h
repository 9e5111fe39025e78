// BuildLog: what was told of a build, numbered, as far as there is room.
//
//   BuildLog log;
//   log.Add(event);                                  // build::BuildEvent
//   const LoggedEvents page = log.After(17, kMostBytes);
//
// Events as JSON: "step" is a step's number in the build, and an event of kind "began" says which
// instruction that is. Output is text: what is no UTF-8 is replaced, and a character is never cut
// in two. The oldest give way; who reads on at a number is told how many are gone. One thread at a
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "build/build_event.h"

namespace cay::sandbox {

struct LoggedEvent {
  uint64_t number = 0;  // from 1
  std::string_view kind{};
  std::string json{};  // an object's text
};

struct LoggedEvents {
  std::vector<LoggedEvent> events{};
  uint64_t dropped = 0;  // that came after the number that was asked for, and are gone
};

class BuildLog {
 public:
  static constexpr Bytes kUsualBytes = 1 * kMiB;
  static constexpr size_t kMaxOutput = 8 * 1024;  // bytes of output in one event
  static constexpr size_t kMaxText = 64 * 1024;   // of anything else that is text

  explicit BuildLog(Bytes bytes = kUsualBytes) : max_bytes_(bytes) {}

  void Add(const build::BuildEvent& event);
  // Of higher numbers, the first ones: up to so many bytes, at least one where there is one.
  LoggedEvents After(uint64_t number, Bytes most) const;
  uint64_t newest() const { return next_ - 1; }

 private:
  using Stream = std::pair<size_t, OutputStream>;

  void AddOutput(const build::BuildEvent& event);
  void AddText(const Stream& stream, std::string_view text);
  void FinishStep(size_t step);
  void Append(build::BuildEvent::Kind kind, std::string json);

  const Bytes max_bytes_;
  std::deque<LoggedEvent> events_;
  Bytes bytes_ = 0;
  uint64_t next_ = 1;
  std::map<Stream, std::string> begun_;  // the beginning of a character, of steps that go on
};

}  // namespace cay::sandbox
