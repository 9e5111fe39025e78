// Execution: a command and all that it printed, for a caller who waits for both.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "sandbox/network/network_report.h"
#include "sandbox/processes/output_room.h"
#include "sandbox/processes/process_types.h"

namespace cay::sandbox {

// Everything a foreground execution gives back: output as far as its room keeps it.
struct Execution {
  explicit Execution(std::shared_ptr<OutputRoom> its_room);
  // Puts it into the room.
  void Gather(OutputStream stream, std::string_view bytes);
  // Once the room is settled.
  KeptText Text(OutputStream stream) const {
    return room->Text(stream, Of(stream).from, Of(stream).to);
  }
  uint64_t Written(OutputStream stream) const { return Of(stream).to - Of(stream).from; }
  // Not all of it is kept. For output that was lost before it came here the stream is not known.
  bool Truncated(OutputStream stream) const { return lost || Text(stream).omitted > 0; }

  ProcessRecord record;
  bool out_of_memory = false;    // and not the room's maximum: the server had no memory for more
  DeniedFlows network_denied{};  // of the sandbox, meanwhile
  bool lost = false;             // output was gone before it was read
  std::shared_ptr<OutputRoom> room;

 private:
  // Where in the room, which others' output may be in as well.
  struct Part {
    uint64_t from = 0, to = 0;
  };
  const Part& Of(OutputStream stream) const {
    return stream == OutputStream::kStdout ? stdout_ : stderr_;
  }
  Part stdout_, stderr_;
};

}  // namespace cay::sandbox
