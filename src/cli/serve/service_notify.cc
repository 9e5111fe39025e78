#include "cli/serve/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "base/os/fd.h"

namespace cay::cli {

void NotifyService(std::string_view state) {
  const char* name = ::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return;
  const size_t length = std::strlen(name);
  if (length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  // An abstract socket.
  if (name[0] == '@') address.sun_path[0] = '\0';
  const int raw = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return;
  const Fd socket = Fd::Adopt(raw);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

void NotifyReloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  NotifyService("RELOADING=1\nMONOTONIC_USEC=" +
                std::to_string(int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

}  // namespace cay::cli
