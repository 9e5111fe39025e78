// What `sudo` and `su` are in a sandbox with root's privileges: programs without a setuid bit that
// ask the guest (command_request.h) to start a command with their own descriptors, and wait for it.
//
// At a terminal the command has one of its own (pty(7)), as sudo's use_pty: it is in another
// session, so the caller's terminal cannot be its controlling one. What is typed and shown goes
// through this process, window sizes too.
#pragma once

#include <span>
#include <string>

namespace cay::guest::sudo {

// The exit code. A command that a signal ended ends this process by the same signal.
int SudoMain(std::span<const std::string> arguments);
int SuMain(std::span<const std::string> arguments);

}  // namespace cay::guest::sudo
