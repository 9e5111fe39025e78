// The door of a relay: where the next controller finds it when the one that started it has ended.
//
//   Door door = TRY(MakeDoor(state_dir));              // the controller, for the relay it starts
//   TRY(Listen(door));                                 // the relay, before it is confined
//
//   const auto found = TRY(KnockAtDoor(state_dir));    // the next controller; nothing: none is there
//
// It is STATE/relay/socket, 0600 in a directory of 0700: nobody comes to it but its owner and root,
// and the relay asks the kernel who it is that came (control_socket.h). What is in a sandbox does
// not see the name.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

struct Door {
  Fd socket;  // SEQPACKET, bound
  Fd name;    // O_PATH
  uid_t owner = 0;

  // Whether it is still there for somebody to find: neither it nor the state directory was removed,
  // and no other relay has its name.
  bool IsThere() const;
};

// A relay that runs. `pidfd`: for one that hangs.
struct RelayProcess {
  Fd control;
  Fd pidfd;
  pid_t pid = 0;  // for people
};

// What had the name before loses it.
Result<Door> MakeDoor(const std::string& state_dir);
// By the process whose door it is: who knocks is told its pid.
Result<void> Listen(const Door& door);

// Whoever connects is heard when the relay has no controller.
Result<std::optional<RelayProcess>> KnockAtDoor(const std::string& state_dir);

}  // namespace cay::network
