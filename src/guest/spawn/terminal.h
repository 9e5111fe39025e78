// Terminal: a pseudo-terminal for one command, from the sandbox's own /dev/pts. pty(7).
#pragma once

#include <cstdint>
#include <optional>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/spawn/accounts.h"
#include "protocol/process_messages.h"

namespace cay::guest {

struct Terminal {
  Fd master;
  Fd slave;
};

// A new one, of whoever opens it; `flags` of open(2) for the master besides. The slave is opened
// through the master (TIOCGPTPEER): no path in the code's filesystem is believed.
Result<Terminal> OpenTerminalPair(int flags);

// One whose master is non-blocking, and whose slave the account owns, so that the command can open
// it by name. In single-user mode it is the guest's own user's, and stays so.
Result<Terminal> OpenTerminal(protocol::TerminalSize size, const Account& account,
                              bool change_owner);

Result<void> ResizeTerminal(const Fd& master, protocol::TerminalSize size);

// The slave's device number; nothing when it cannot be known.
std::optional<uint64_t> SlaveDevice(const Fd& master);

// The process group in the foreground; nothing when there is none.
std::optional<pid_t> ForegroundGroup(const Fd& master);

}  // namespace cay::guest
