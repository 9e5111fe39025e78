// ProcessKeeper: the processes of all sandboxes: started, followed, timed out, remembered. A
// foreground execution and a background process are the same thing; they differ in their readers.
//
//   RunningProcess process = TRY(keeper.Start(lease, spec));
//   while (auto event = TRY(process.Next(patience))) …        // or drop it: it runs on, the keeper waits
//   ProcessRecord result = TRY(keeper.Get(lease.id(), process.id()));
//
// The guest holds the output and the truth about what runs; the keeper holds deadlines and results.
// After a restart of the server both are put together again (Adopt). Timeouts are the keeper's: it
// ends the process, its group and what it left behind, and the record says timed_out.
//
// A record's id is the guest's name for the process as long as the sandbox has the guest it began
// with; over stop and start the numbers go on ascending. An end is known when the output is
// complete: one who follows and does not read holds it up, as it holds up the process.
//
// Thread-safe; a RunningProcess is for one thread at a time, and does not outlive the keeper.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/commands/command_rules.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/metrics.h"
#include "sandbox/processes/execution.h"
#include "sandbox/processes/process_types.h"
#include "sandbox/processes/running_process.h"

namespace cay::sandbox {

class ProcessKeeper {
 public:
  static Result<std::unique_ptr<ProcessKeeper>> Open(KeeperOptions options, Manager& manager,
                                                     store::Store& store, EventLog& events);
  ~ProcessKeeper();

  Result<RunningProcess> Start(const Lease& lease, const ProcessSpec& spec);
  // Follows it from a sequence number on. Nothing: from the oldest output that is held.
  Result<RunningProcess> Attach(const Lease& lease, uint64_t process,
                                std::optional<uint64_t> from_seq);
  // Start, give stdin, read all, wait. A command that is lost (its guest died, its sandbox was
  // destroyed) is a result too: its record says why, and the output that came until then is there.
  Result<Execution> Execute(const Lease& lease, const ProcessSpec& spec,
                            std::string_view stdin_bytes, std::shared_ptr<OutputRoom> room,
                            int also = -1);

  // Which commands are refused and flagged, and what the log tells of them, from now on.
  // kInvalidArgument for malformed patterns; then the rules stay as they were.
  Result<void> SetRules(const CommandRules& rules);
  // What Start checks first, for callers that have more to do before Start, which would be in vain.
  // kNotSupported for a command that is refused.
  Result<void> CheckCommand(const Lease& lease, const ProcessSpec& spec);

  // What the guest is asked for, checked as Start does: for one that is neither remembered nor told
  // of. kNotSupported for a command that is refused.
  Result<protocol::StartRequest> RequestFor(const Lease& lease, const ProcessSpec& spec);
  // How the guest calls it. kNotFound, and kIllegalState for one of an earlier life.
  Result<uint64_t> GuestProcess(const Lease& lease, uint64_t process);

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

  ProcessMetrics GetMetrics();

 private:
  class Impl;
  explicit ProcessKeeper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  friend class RunningProcess;
};

}  // namespace cay::sandbox
