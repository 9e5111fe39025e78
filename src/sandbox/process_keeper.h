// ProcessKeeper: the processes of all sandboxes: started, followed, timed out, remembered. A foreground
// execution and a background process are the same thing; they differ in who reads.
//
//   RunningProcess process = TRY(keeper.Start(lease, spec));
//   while (auto event = TRY(process.Next(patience))) …        // or drop it: it runs on, the keeper waits
//   ProcessRecord result = TRY(keeper.Get(lease.id(), process.id()));
//
// The guest holds the output and the truth about what runs; the keeper holds deadlines and results. After
// a restart of the server both are put together again (Adopt). Timeouts are the keeper's: it ends the process, its
// group and what it left behind, and the record says timed_out.
//
// A record's id is the guest's name for the process as long as the sandbox has the guest it began
// with; over stop and start the numbers go on ascending. An end is known when the output is complete:
// one who follows and does not read holds it up, as it holds up the process.
//
// Thread-safe; a RunningProcess is for one thread at a time, and does not outlive the keeper.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "sandbox/command_rules.h"
#include "sandbox/manager.h"
#include "sandbox/output_room.h"
#include "sandbox/process_stream.h"
#include "sandbox/types.h"

namespace cay::sandbox {

struct ProcessSpec {
  std::vector<std::string> argv;  // or …
  std::string shell;              // … one line for `sh -c`
  std::string workdir;            // relative to the sandbox's; "" is the sandbox's
  std::string user;               // "" is the sandbox's
  StringMap env;
  bool stdin_open = false;  // stays open for writes; otherwise it is empty
  std::optional<protocol::TerminalSize> terminal;
  // Nothing: the configured default, and none in the background. 0: none, where the maximum allows it.
  std::optional<Millis> timeout;
  bool background = false;  // nobody waits for it
  // From the SIGTERM at its timeout to the SIGKILL; nothing: the configured default; 0: killed at once.
  std::optional<Millis> kill_grace;
  // Processor time of each process of it; nothing: the sandbox's. 0: any, where the maximum allows it.
  std::optional<Millis> cpu_time;
  std::optional<Bytes> output_held;  // the ring
  bool kill_leftovers = false;       // when it ends, end what it left behind
  std::string tag;                   // the caller's own word for it; at most 128 bytes
};

enum class ProcessState : uint8_t { kRunning, kExited, kLost };
std::string_view ProcessStateName(ProcessState state);

// What is known of a process. Of one that ended: its result.
struct ProcessRecord {
  uint64_t id = 0;  // in its sandbox; ascending
  std::string sandbox;
  int32_t pid = 0;                   // inside
  std::vector<std::string> command;  // the first 4 KiB of it; "…" stands for the rest
  std::string tag;
  bool terminal = false;
  ProcessState state = ProcessState::kRunning;
  std::string reason;  // of kLost
  std::optional<int32_t> exit_code;
  std::optional<uint32_t> signal;
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;  // it failed, and the sandbox's disk is full
  bool core_dumped = false;
  bool output_cut = false;
  int64_t started_unix_ms = 0;
  std::optional<int64_t> deadline_unix_ms;  // when its time is over
  int64_t ended_unix_ms = 0;
  uint64_t duration_ms = 0;
  uint64_t cpu_ms = 0;
  uint64_t cpu_limit_ms = 0;         // 0: none
  std::vector<std::string> flagged;  // the names of the patterns of commands.flag that it matches
  Bytes max_rss = 0;
  uint64_t output_end = 0;  // sequence number of its end
  uint64_t leftover_count = 0;
  std::vector<int32_t> leftovers;
};

// What Next() yields; Ended exactly once and last.
struct ProcessEnded {
  ProcessRecord record;
};
using RunningEvent = std::variant<protocol::Started, ProcessOutput, protocol::Gap, ProcessEnded>;

class ProcessKeeper;

class RunningProcess {
 public:
  RunningProcess(RunningProcess&&) noexcept;
  RunningProcess& operator=(RunningProcess&&) noexcept;
  ~RunningProcess();

  uint64_t id() const;
  int32_t pid() const;
  std::vector<std::string> command() const;  // as ProcessRecord has it
  // For poll loops: fd() and poll_events() as ProcessStream has them; then Poll() until it gives nothing.
  int fd() const;
  short poll_events() const;
  Result<std::optional<RunningEvent>> Poll();
  // Waits, at most so long; also ends its wait (with nothing) when `also` has one of POLLRDHUP, POLLHUP, POLLIN.
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
  // Not all of it is kept; of what was lost before it came here nobody knows of which stream it was.
  bool Truncated(OutputStream stream) const { return lost || Text(stream).omitted > 0; }

  ProcessRecord record;
  bool out_of_memory = false;  // and not the room's maximum: the server had no memory for more
  bool lost = false;           // output was gone before it was read
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

// More than these the guest refuses.
inline constexpr size_t kMaxRunningPerSandbox = protocol::kMaxRunning;

// See process_verdict.h.
bool FileSizeExceeded(const ProcessRecord& record);
bool CpuTimeExceeded(const ProcessRecord& record);

struct KeeperOptions {
  Millis default_timeout{300'000};
  Millis max_timeout{86'400'000};
  Millis kill_grace{2000};
  Bytes output_held = 1 * kMiB;
  Bytes max_output_held = 16 * kMiB;
  size_t max_running_per_sandbox = kMaxRunningPerSandbox;
  size_t history_per_sandbox = 1000;  // ended processes that are remembered
};

class ProcessKeeper {
 public:
  static Result<std::unique_ptr<ProcessKeeper>> Open(KeeperOptions options, Manager& manager,
                                                     store::Store& store, EventLog& events);
  ~ProcessKeeper();

  Result<RunningProcess> Start(const Lease& lease, const ProcessSpec& spec);
  // Follows it from a sequence number on. Nothing: from the oldest output that is held.
  Result<RunningProcess> Attach(const Lease& lease, uint64_t process,
                                std::optional<uint64_t> from_seq);
  // Start, give stdin, read all, wait. A command that is lost (its guest died, its sandbox was destroyed) is a result
  // too: its record says why, and the output that came until then is there.
  Result<Execution> Execute(const Lease& lease, const ProcessSpec& spec,
                            std::string_view stdin_bytes, std::shared_ptr<OutputRoom> room,
                            int also = -1);

  // Which commands are refused and flagged, and what the log tells of them, from now on. kInvalidArgument for patterns that
  // are none; then the rules stay as they were.
  Result<void> SetRules(const CommandRules& rules);
  // What Start does first: for who has more to do before that is not to be done in vain. kNotSupported for a command that is
  // refused.
  Result<void> CheckCommand(const Lease& lease, const ProcessSpec& spec);

  // Newest first; running ones and history.
  Result<std::vector<ProcessRecord>> List(const Lease& lease, size_t limit);
  Result<ProcessRecord> Get(const SandboxId& sandbox, uint64_t process);
  // Also of a sandbox that does not run: what is remembered.
  std::vector<ProcessRecord> History(const SandboxId& sandbox, size_t limit);

  // The sequence number at which its output ends so far.
  Result<uint64_t> OutputEnd(const Lease& lease, uint64_t process);
  Result<void> Signal(const Lease& lease, uint64_t process, int signal);
  Result<void> Resize(const Lease& lease, uint64_t process, protocol::TerminalSize size);
  Result<void> WriteStdin(const Lease& lease, uint64_t process, const Source& source, bool close);
  Result<protocol::LeftoversKilled> KillLeftovers(const Lease& lease, uint64_t process);

  struct Metrics {
    uint64_t started = 0, ended = 0, timed_out = 0, running = 0, lost = 0;
    Histogram start, execute;  // to Started; to the end of Execute
  };
  Metrics GetMetrics();

 private:
  class Impl;
  explicit ProcessKeeper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  friend class RunningProcess;
};

}  // namespace cay::sandbox
