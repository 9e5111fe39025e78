// The socket at which processes inside ask the guest to start a command as another user.
//
// It is abstract (unix(7)), so no file stands for it, and of the sandbox's own network namespace.
#pragma once

#include <sys/un.h>

#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::guest {

struct RequestAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};
RequestAddress AddressOfRequests();

// Nobody inside can have taken the name, as long as there was no command. Non-blocking.
Result<Fd> ListenForRequests();

}  // namespace cay::guest
