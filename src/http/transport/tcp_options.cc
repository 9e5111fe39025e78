#include "http/transport/tcp_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace cay::http {

void SetTcpOptions(const Fd& connection, const KeepAlive& keep_alive) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(connection.get(), level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, keep_alive.idle);
  set(IPPROTO_TCP, TCP_KEEPINTVL, keep_alive.interval);
  set(IPPROTO_TCP, TCP_KEEPCNT, keep_alive.probes);
}

}  // namespace cay::http
