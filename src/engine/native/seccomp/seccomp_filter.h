// The seccomp filter of every sandbox: an allow-list of system calls of x86-64, compiled at build
// time.
//
// Unknown and newer calls, and clone3, give ENOSYS (so that programs fall back); refused ones
// EPERM; calls of a foreign ABI (int 0x80, x32) kill the process: socketcall and friends would walk
// around argument filters. The guest runs under it too, and every process inherits it.
#pragma once

#include <linux/filter.h>

#include <span>

#include "base/result.h"

namespace cay::engine::native {

// The program; static, the same for every sandbox. And one more where nothing writable is to be
// executable.
std::span<const sock_filter> SandboxFilter();
std::span<const sock_filter> NoexecFilter();

// Installs it on the calling thread, which has no_new_privs or CAP_SYS_ADMIN in its user namespace.
// Of two filters the kernel takes the stricter answer.
Result<void> InstallSandboxFilter();
Result<void> InstallNoexecFilter();

}  // namespace cay::engine::native
