#include "subjects/host_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "subjects/process.h"

namespace cay::bench {

constexpr size_t kBufferBytes = 64 * 1024;

Result<void> ThroughPipeAndSocket(Bytes bytes) {
  return ThroughPipeAndSocket({"/usr/bin/head", "-c", std::to_string(bytes), "/dev/zero"}, bytes);
}

Result<void> ThroughPipeAndSocket(const std::vector<std::string>& argv, Bytes bytes) {
  const SocketPair sockets = TRY(MakeSocketPair(SOCK_STREAM));
  const Started started = TRY(StartWithOutput(argv));
  std::jthread relay([&] {
    std::string buffer(kBufferBytes, '\0');
    for (;;) {
      const ssize_t got = read(started.output.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      if (!WriteAll(sockets.first.get(), {buffer.data(), static_cast<size_t>(got)})) break;
    }
    shutdown(sockets.first.get(), SHUT_WR);
  });
  std::string buffer(kBufferBytes, '\0');
  Bytes total = 0;
  for (;;) {
    const ssize_t got = read(sockets.second.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    total += static_cast<Bytes>(got);
  }
  TRY(WaitFor(started.pid, argv[0]));
  if (total == bytes) return {};
  return Failure(
      Error(ErrorCode::kIo, Fault::kMachine,
            "output lost: " + std::to_string(total) + " of " + std::to_string(bytes) + " bytes"));
}

}  // namespace cay::bench
