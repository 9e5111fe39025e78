// SpawnJob: everything that starting one command needs, prepared so that the child between vfork
// and execve allocates nothing, and what came of it.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "guest/spawn/accounts.h"

namespace cay::guest {

struct ChildRlimit {
  int resource;
  rlimit value;
};

// Where a command that could not be started got to.
enum class SpawnStage : uint8_t {
  kNone,
  kFork,
  kSession,
  kStdio,
  kTerminal,
  kLimits,
  kIds,
  kCwd,
  kExec
};

struct SpawnJob {
  // `argv` and `env` of the command: borrowed, until they are let go of.
  void Borrow(const std::vector<std::string>& arguments, const std::vector<std::string>& variables);
  // Once the spawner is done: what was only for the start, and may be large.
  void CloseStdio();
  void LetGoOfStrings();

  // In. The strings must outlive the job.
  std::vector<std::string> candidates;  // for execve, in order; not empty
  std::vector<const char*> argv;        // ends with nullptr
  std::vector<const char*> env;         // ends with nullptr
  std::string cwd;
  Account account;
  bool change_ids = true;  // false in single-user mode: the guest is that user already
  // What it has of kRootCapabilities, all of which the spawner has then; nobody has others.
  uint32_t capabilities = 0;
  std::vector<ChildRlimit> rlimits;
  int proc_fd = -1;            // /proc, for the out-of-memory score
  std::optional<Fd> stdin_fd;  // nothing: /dev/null, which is what the guest has
  std::optional<Fd> stdout_fd;
  std::optional<Fd> stderr_fd;
  std::optional<int> terminal;  // which of 0, 1, 2 becomes the terminal of its session

  // Out. `pid` is set before the child runs, the others before the spawner says that it is done.
  std::atomic<pid_t> pid = 0;
  SpawnStage failed = SpawnStage::kNone;
  int sys_errno = 0;
  size_t failed_candidate = 0;  // of kExec: which one the error is about
};

}  // namespace cay::guest
