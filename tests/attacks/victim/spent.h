// Spending what the machine has once for everybody (spent_table.h). Each probe takes as much as it
// is given, says "spent", holds it until its input ends, and says what refused more and how much it
// held: "refused ENOSPC holding 64".
#pragma once

#include <netinet/in.h>

#include <functional>

#include "victim/probe.h"

namespace cay::attacks {

// The state that the neighbours are asked in.
Verdict Hold(const Verdict& verdict, long held);

struct Share {
  long held;
  int refused;  // an errno; 0: not
};

enum class Until : bool { kRefused, kAllHave };

// `body` in one process after another, at most `most`. The processes live until the end.
Verdict InProcesses(int most, Until until, const std::function<Share()>& body);

// Adds the longest filter there can be to the calling thread, which may.
long InstallLongFilter();

sockaddr_in Loopback(uint16_t port = 0);

// Bound to a port of its own; `address` is what to send to. -1 when there can be none.
int BoundSocket(int type, sockaddr_in& address);

}  // namespace cay::attacks
