// What RunningProcess is made of: process_keeper.cc makes it, running_process.cc is it.
#pragma once

#include <memory>
#include <optional>

#include "sandbox/processes/process_book.h"
#include "sandbox/processes/process_supervisor.h"
#include "sandbox/processes/running_process.h"

namespace cay::sandbox {

// The keeper's parts. The supervisor goes first.
struct KeeperParts {
  std::unique_ptr<ProcessBook> book;
  std::unique_ptr<ProcessSupervisor> supervisor;
};

struct RunningProcess::Impl {
  std::shared_ptr<KeeperParts> parts;
  std::shared_ptr<ProcessEntry> entry;
  ProcessStream stream;
  bool owner = false;                          // handed on to the supervisor when it is dropped
  bool skip_gap = false;                       // what is gone before the first output is not news
  std::optional<protocol::Started> announced;  // to be given out first
  bool finished = false;

  ~Impl();
  Result<std::optional<RunningEvent>> Poll();
  // True when `also` is what ended the wait.
  Result<bool> Wait(SteadyClock::time_point until, int also, short also_events);

 private:
  Result<RunningEvent> OnExited(protocol::Exited exited);
  RunningEvent Finish(const ProcessEnding& ending);
  Result<RunningEvent> OnError(const Error& error);
};

}  // namespace cay::sandbox
