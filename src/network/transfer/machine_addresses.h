// MachineAddresses: which addresses are those of the machine that this process runs on, so that a
// sandbox does not reach its services by them, public ones included. They are looked up anew when
// they are older than some seconds: interfaces come and go.
#pragma once

#include <chrono>
#include <vector>

#include "network/policy/address.h"

namespace cay::network {

class MachineAddresses {
 public:
  using Clock = std::chrono::steady_clock;

  // Where those cannot be had every address counts as own: nothing is let through by mistake.
  bool IsOwn(const Address& address);
  // What the names of the machine stand for.
  static std::vector<Address> Loopback();

 private:
  static constexpr std::chrono::seconds kFresh{5};
  std::vector<Address> own_;
  bool known_ = false;
  Clock::time_point looked_{};
};

}  // namespace cay::network
