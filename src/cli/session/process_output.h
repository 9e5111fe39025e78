// A process of the server's as its client sees it: output events into bytes that come exactly once,
// and how it ended. Pure.
//
//   OutputTracker tracker(from);
//   OutputPiece piece = TRY(tracker.Take(event));    // of "stdout", "stderr" and "gap"
//   if (piece.lost > 0) …; write piece.bytes
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/session/event_stream.h"

namespace cay::cli {

struct OutputPiece {
  bool is_stdout = true;
  std::string bytes;  // without what came before
  uint64_t lost = 0;  // bytes that are missing before these
};

class OutputTracker {
 public:
  // From this sequence number on; nothing: from the oldest that is held, wherever that is.
  explicit OutputTracker(std::optional<uint64_t> from) : next_(from) {}

  // kProtocol when the event is not of the shape of one.
  Result<OutputPiece> Take(const ServerEvent& event);

  // The sequence number after what came.
  uint64_t position() const { return next_.value_or(0); }

 private:
  std::optional<uint64_t> next_;
};

// How a process ended: the "exited" event, and process objects.
struct ProcessEnd {
  std::optional<int> exit_code{};
  std::optional<int> signal{};
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;
  bool file_size_exceeded = false;
  bool cpu_time_exceeded = false;
  bool output_cut = false;
  uint64_t duration_ms = 0;
  uint64_t leftover_count = 0;
  std::string reason{};  // of one that was lost
};

ProcessEnd ParseProcessEnd(const boost::json::object& object);

// As cay run exits: the command's code, 128 + signal, 124 after a timeout. An error for a process
// that was lost with its sandbox: it has no end of its own.
Result<int> ExitCodeOfEnd(const ProcessEnd& end);

// Lines for people about an unusual end.
std::vector<std::string> NotesOnEnd(const ProcessEnd& end);

// The object of an event's data; kProtocol when it is not an object.
Result<boost::json::object> EventData(const ServerEvent& event);

// "process_id" is a number or text.
std::string ProcessIdOf(const boost::json::object& object);

}  // namespace cay::cli
