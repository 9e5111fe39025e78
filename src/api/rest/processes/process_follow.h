// Following a process from its output to its end, for a client that may go away meanwhile.
#pragma once

#include <string_view>

#include "api/sse.h"
#include "base/result.h"
#include "sandbox/processes/process_keeper.h"

namespace cay::api::rest {

// How many events of a process are taken before its client and the server are looked at again: so a
// process that writes without pause cannot keep the server's end, or a revoked key, from ending
// this.
inline constexpr size_t kEventsInARound = 64;

// Takes what comes of the process. An error ends the following and is its result.
class ProcessSink {
 public:
  virtual ~ProcessSink() = default;
  virtual Result<void> OnOutput(const ProcessOutput& output) = 0;
  virtual Result<void> OnGap(const protocol::Gap& gap) = 0;
  // Nothing more has come yet. Returns how long it may take until this is called again.
  virtual Result<Millis> OnQuiet() = 0;
  // Whether it stops when the server ends, for a client that comes back.
  virtual bool EndsWithServer() const { return false; }
};

// The record, once the process has ended; nothing when the client hung up, or the server ends: then
// the process runs on, and the keeper looks after it. It runs on, too, when the client has no
// standing any more, which is an error. `stdin_bytes` are fed meanwhile, and then closed, when
// `feed`.
Result<std::optional<sandbox::ProcessRecord>> Follow(sandbox::RunningProcess& process,
                                                     http::Exchange& client, bool feed,
                                                     std::string_view stdin_bytes,
                                                     ProcessSink& sink);

// Output as events `stdout`, `stderr` and `gap`. Text where it is UTF-8: a character that is cut by
// the end of a piece waits for the next piece.
class SseOutput : public ProcessSink {
 public:
  explicit SseOutput(SseStream& events) : events_(events) {}
  Result<void> OnOutput(const ProcessOutput& output) override;
  Result<void> OnGap(const protocol::Gap& gap) override;
  Result<Millis> OnQuiet() override;
  // Sends what still waits. Before a terminal event.
  Result<void> Flush();

 private:
  Result<void> SendPiece(OutputStream stream, uint64_t seq, std::string_view bytes);

  SseStream& events_;
  std::string tail_;  // of a character; at most 3 bytes
  uint64_t tail_seq_ = 0;
  OutputStream tail_stream_ = OutputStream::kStdout;
};

}  // namespace cay::api::rest
