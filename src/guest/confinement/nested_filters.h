// NestedFilters: whether a command may put one more filter on itself.
//
// A filter lives as long as a thread that has it, or a filter above it. The kernel tells how many
// each thread has (Seccomp_filters in its status), not which, so the sum over all threads is what
// there can be at most: children count what they inherited. A command that is allowed one more goes
// on with its call, and has the filter only then; until it is seen to have it, it counts as if it
// had.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/os/fd.h"

namespace cay::guest {

// A filter of the longest kind is 56 KiB of translated code; the machine has 504 MiB for all
// (net.core.bpf_jit_limit).
inline constexpr uint64_t kMaxNestedFilters = 64;
// Of one thread. Threads that pass a filter on while they are counted could hide it from the sum;
// from this they cannot.
inline constexpr uint64_t kMaxFiltersOfAThread = 4;

// What `walk` gives, when `last_pid` (the number that was given to a process last) has not fallen
// meanwhile: /proc lists processes by their numbers, so what a process has passed on is found
// later, unless the numbers began anew. Walks again then, and gives nothing when that happens time
// and again, or cannot be known.
std::optional<uint64_t> CountWhilePidsRise(
    const std::function<uint64_t()>& walk,
    const std::function<std::optional<uint64_t>()>& last_pid);

class NestedFilters {
 public:
  // `proc` is /proc, borrowed; `spawner` a thread of the guest with the commands' own filters.
  NestedFilters(const Fd& proc, pid_t spawner) : proc_(proc), spawner_(spawner) {}

  // Whether `thread`, which waits for the answer, may add one; if so, it is taken to do it.
  bool Grant(pid_t thread);

 private:
  struct Granted {
    pid_t thread;
    uint64_t filters;  // that it had before
  };

  // 0: it has ended. kUnknown: the kernel does not say.
  static constexpr uint64_t kUnknown = UINT64_MAX;
  uint64_t FiltersOf(pid_t process, pid_t thread) const;
  uint64_t SumOfAll() const;
  uint64_t CountAll() const;
  void ForgetSeen();

  const Fd& proc_;
  const pid_t spawner_;
  uint64_t own_ = 0;  // of a command that added none; 0: not asked yet
  std::vector<Granted> granted_;
};

}  // namespace cay::guest
