// Options of a TCP connection, either end.
#pragma once

#include "base/os/fd.h"

namespace cay::http {

// When a connection to a machine that has vanished ends. Seconds, and how many probes.
struct KeepAlive {
  int idle;
  int interval;
  int probes;
};

// No delay for small pieces, and probes. What the kernel does not take is left out.
void SetTcpOptions(const Fd& connection, const KeepAlive& keep_alive);

}  // namespace cay::http
