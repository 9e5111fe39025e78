// Unix sockets by names below a directory, and who is at their other end (unix(7)).
#pragma once

#include <sys/socket.h>
#include <sys/time.h>

#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay {

// `type`: SOCK_STREAM, SOCK_SEQPACKET. Close-on-exec.
Result<Fd> OpenUnixSocket(int type);

// `name` has less than 80 bytes. The directory's path may be longer than sun_path: it is reached by
// its descriptor.
//
// For this user alone (0600). `whose`: of errors, "the guest's socket".
Result<void> BindIn(const Fd& directory, const char* name, const Fd& socket,
                    const std::string& whose);
// The error is connect(2)'s own.
Result<void> ConnectIn(const Fd& directory, const char* name, const Fd& socket);

// connect(2) waits as long as a send may. 0: for ever.
Result<void> SetSendTimeout(const Fd& socket, const timeval& timeout);

// The process that has connected or is connected to. `asking`: of the error, "asking who …".
Result<ucred> PeerOf(const Fd& socket, std::string_view asking);

}  // namespace cay
