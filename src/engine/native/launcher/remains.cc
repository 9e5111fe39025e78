#include "engine/native/launcher/remains.h"

#include <poll.h>
#include <signal.h>

#include <utility>

#include "base/os/sys.h"
#include "engine/native/ids/id_processes.h"
#include "engine/native/ipc/guest_socket.h"

namespace cay::engine::native {
namespace {

Error DoesNotDie(const std::string& why = {}) {
  return Error(ErrorCode::kTimeout, Fault::kMachine, "the sandbox's processes do not die" + why)
      .WithRemedy("one of them hangs in the kernel, most often on a disk: see dmesg");
}

// The end of a pid namespace's first process is the end of all.
Result<void> EndGuestOf(const Fd& connection, Millis patience) {
  const Fd guest = TRY(OpenGuest(connection));
  if (auto sent = sys::PidfdSendSignal(guest, SIGKILL); !sent && sent.error().sys_errno() != ESRCH)
    return sent;
  pollfd dead{.fd = guest.get(), .events = POLLIN, .revents = 0};
  if (::poll(&dead, 1, static_cast<int>(patience.count())) == 1) return {};
  return Failure(DoesNotDie());
}

}  // namespace

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
    return Failure(DoesNotDie(": " + removed.error().message()));
  }
  remains.cgroup.reset();
  return {};
}

Result<bool> EndListeners(const Fd& sandbox_dir, Millis patience) {
  bool known = false;
  for (const auto name : {GuestSocketName::kReachable, GuestSocketName::kPaused}) {
    const auto connection = ConnectToGuest(sandbox_dir, Millis(0), name);
    if (connection) TRY(EndGuestOf(*connection, patience));
    const int sys_errno = connection ? 0 : connection.error().sys_errno();
    if (sys_errno == ENOENT) continue;
    // ECONNREFUSED: nobody listens any more, it has ended. Anything else says nothing of it.
    if (sys_errno != 0 && sys_errno != ECONNREFUSED) return Failure(connection.error());
    known = true;
  }
  return known;
}

Result<bool> EndUnowned(const SandboxId& id, const Fd* sandbox_dir, CgroupTree& cgroups,
                        IdRangeAllocator* ids, Millis patience) {
  Remains remains{.id = id, .cgroup = {}, .id_ranges = {}};
  auto cgroup = cgroups.Open(id);
  if (!cgroup && cgroup.error().code() != ErrorCode::kNotFound) return Failure(cgroup.error());
  if (cgroup) remains.cgroup = std::move(*cgroup);
  if (ids != nullptr) remains.id_ranges = TRY(ids->OwnedBy(id));
  const bool found = remains.any();
  TRY(EndRemains(remains, patience));
  // An ordinary user's may have had neither.
  const bool answered = sandbox_dir != nullptr && TRY(EndListeners(*sandbox_dir, patience));
  for (const IdRange& range : remains.id_ranges) TRY(ids->Free(range, id.text()));
  return found || answered;
}

Error NothingLeadsToIt() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "nothing tells whether the sandbox's processes still run")
      .WithRemedy("end the processes named cay-guest that belong to no sandbox, and try again");
}

}  // namespace cay::engine::native
