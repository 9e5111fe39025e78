// Lease: a sandbox in use.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "guest_link/guest_channel.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// While a lease lives the sandbox is in use: it is not idle, and when it is destroyed all the same,
// the streams of the lease end. Movable; for one thread at a time.
class Lease {
 public:
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

  const SandboxId& id() const;
  const SandboxView& view() const;  // as it was when it was taken
  const GuestChannel& guest() const;
  std::vector<std::string> Environment(
      const StringMap& more) const;  // template's, sandbox's, these
  // Those of protocol::kAccountVariables that neither the sandbox's image, nor its maker, nor
  // `more` has set.
  std::vector<std::string> AccountVariables(const StringMap& more) const;
  const std::string& user() const;
  const std::string& workdir() const;
  // kIllegalState for a path that a stopped sandbox does not have: it is in memory. `path`:
  // absolute.
  Result<void> CheckKept(std::string_view path) const;
  // A descriptor that polls readable once the guest is gone.
  Result<Fd> Watch() const;

 private:
  friend class Manager;
  struct Hold;
  explicit Lease(std::unique_ptr<Hold> hold);
  std::unique_ptr<Hold> hold_;
};

}  // namespace cay::sandbox
