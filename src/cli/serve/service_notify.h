// What a service manager wants to know: sd_notify(3)'s protocol, which is one datagram to
// $NOTIFY_SOCKET.
#pragma once

#include <string_view>

namespace cay::cli {

// "READY=1\nSTATUS=…", "RELOADING=1", "STOPPING=1". Does nothing without a service manager that
// listens.
void NotifyService(std::string_view state);
// RELOADING=1, which also wants the time (Type=notify-reload).
void NotifyReloading();

}  // namespace cay::cli
