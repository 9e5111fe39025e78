// What a Lease holds: the sandbox, and what it was when the lease was taken.
#pragma once

#include <memory>
#include <utility>

#include "sandbox/manager.h"
#include "sandbox/sandbox.h"

namespace cay::sandbox {

struct Lease::Hold {
  // The sandbox has been entered. `patience`: of each connection to its guest.
  Hold(std::shared_ptr<Sandbox> entered, Millis patience)
      : sandbox(std::move(entered)),
        record(sandbox->Record()),
        guest([held = sandbox, patience] { return held->engine().Connect(held->id(), patience); },
              GuestChannel::kPatience, sandbox->guest_protocol()) {}
  ~Hold() { sandbox->Leave(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  std::shared_ptr<Sandbox> sandbox;
  SandboxRecord record;
  GuestChannel guest;
};

}  // namespace cay::sandbox
