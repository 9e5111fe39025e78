// What a Lease holds: the sandbox, and what it was when the lease was taken.
#pragma once

#include <memory>
#include <utility>

#include "guest_link/guest_channel.h"
#include "sandbox/lifecycle/lease.h"
#include "sandbox/lifecycle/visits.h"
#include "sandbox/state/sandbox.h"

namespace cay::sandbox {

struct Lease::Hold {
  // The sandbox has been entered. `patience`: of each connection to its guest. `visited`: the
  // visits that the end of the lease leaves, of a stopped sandbox; null: it runs.
  Hold(std::shared_ptr<Sandbox> entered, Millis patience, Visits* visited = nullptr)
      : sandbox(std::move(entered)),
        visits(visited),
        record(sandbox->Record()),
        guest([held = sandbox, patience] { return held->engine().Connect(held->id(), patience); },
              GuestChannel::kPatience, sandbox->guest_protocol()) {}
  ~Hold() {
    if (is_quiet) return;
    visits != nullptr ? visits->Leave(*sandbox) : sandbox->Leave();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  std::shared_ptr<Sandbox> sandbox;
  Visits* visits;
  bool is_quiet = false;  // it was entered quietly: nobody leaves it
  SandboxRecord record;
  GuestChannel guest;
};

}  // namespace cay::sandbox
