#include "api/rest/sandboxes/sandbox_use.h"

#include <chrono>
#include <thread>

namespace cay::api::rest {

Result<Use> LookAtUse(sandbox::Manager& manager, const sandbox::Caller& caller,
                      std::string_view which, std::optional<protocol::Info> guest) {
  // Long enough for the kernel's counters, which move with its ticks.
  constexpr Millis kApart{100};
  const auto view = TRY(manager.Get(caller, which));
  sandbox::HealthLook look;
  look.guest = std::move(guest);
  look.before = TRY(manager.GetStats(caller, view.id.text()));
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(kApart);
  look.after = TRY(manager.GetStats(caller, view.id.text()));
  look.apart = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begin);
  return Use{.stats = look.after,
             .health = sandbox::HealthOf(look, view.limits, manager.options()->health)};
}

}  // namespace cay::api::rest
