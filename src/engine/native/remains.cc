#include "engine/native/remains.h"

#include "engine/native/id_processes.h"

namespace cay::engine::native {

Result<void> EndRemains(Remains& remains, Millis patience) {
  if (remains.cgroup) {
    // kNotSupported: a crash left directories that no process was ever in.
    if (auto killed = remains.cgroup->KillAll();
        !killed && killed.error().code() != ErrorCode::kNotSupported) {
      return killed;
    }
  }
  // Before the groups are waited for: what was in none of them is not theirs to show.
  for (const IdRange& range : remains.id_ranges) TRY(EndProcessesOf(range, remains.id, patience));
  if (!remains.cgroup) return {};
  if (auto removed = remains.cgroup->Remove(patience); !removed) {
    return Failure(
        Error(ErrorCode::kTimeout, Fault::kMachine,
              "the sandbox's processes do not die: " + removed.error().message())
            .WithRemedy("one of them hangs in the kernel, most often on a disk: see dmesg"));
  }
  remains.cgroup.reset();
  return {};
}

}  // namespace cay::engine::native
