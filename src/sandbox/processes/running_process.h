// RunningProcess: the client's end of a process: its output, its stdin, its one end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "guest_link/process_stream.h"
#include "protocol/process_messages.h"
#include "sandbox/processes/process_types.h"

namespace cay::sandbox {

class ProcessKeeper;

// What Next() yields; Ended exactly once and last.
struct ProcessEnded {
  ProcessRecord record;
};
using RunningEvent = std::variant<protocol::Started, ProcessOutput, protocol::Gap, ProcessEnded>;

class RunningProcess {
 public:
  RunningProcess(RunningProcess&&) noexcept;
  RunningProcess& operator=(RunningProcess&&) noexcept;
  ~RunningProcess();

  uint64_t id() const;
  int32_t pid() const;
  std::vector<std::string> command() const;  // as ProcessRecord has it
  // For poll loops: fd() and poll_events() as ProcessStream has them; then Poll() until it gives
  // nothing.
  int fd() const;
  short poll_events() const;
  Result<std::optional<RunningEvent>> Poll();
  // Waits, at most so long; also ends its wait (with nothing) when `also` has one of POLLRDHUP,
  // POLLHUP, POLLIN.
  Result<std::optional<RunningEvent>> Next(Millis patience, int also = -1);
  bool finished() const;

  size_t stdin_room() const;
  Result<size_t> WriteStdin(std::string_view bytes);
  Result<void> CloseStdin();
  Result<void> Signal(int signal);
  Result<void> Resize(protocol::TerminalSize size);

 private:
  friend class ProcessKeeper;
  struct Impl;
  explicit RunningProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::sandbox
