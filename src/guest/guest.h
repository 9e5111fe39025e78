// The guest as a function: what the first process of a sandbox's pid namespace does.
#pragma once

#include "base/privileges.h"

namespace cay::guest {

// The descriptor it inherits: a listening AF_UNIX stream socket that the host connects to, one
// connection for one operation (protocol/frame.h). 0, 1 and 2 are /dev/null; all others are closed.
inline constexpr int kListenerFd = 3;

// Serves until it is killed; when it dies, the kernel ends every process of the sandbox.
// `single_user`: ids cannot be changed here (an ordinary user's sandbox); then nobody has
// privileges. Takes the whole process: signals, descriptors and children are its own. Uses nothing
// of the C library that loads code at run time (name services, iconv, thread cancellation): the
// root filesystem is a stranger's.
[[noreturn]] void Run(bool single_user, Privileges privileges);

}  // namespace cay::guest
