#include "sandbox/reset.h"

#include <signal.h>

#include <string>
#include <vector>

#include "sandbox/guest_channel.h"

namespace cay::sandbox {
namespace {

constexpr const char* kRoot = "root";
constexpr const char* kUser = "";  // uid 1000
constexpr size_t kBatch = 1024;
constexpr int kMaxPasses = 2000;
constexpr int kMaxIdlePasses = 4;  // without anything removed, of both users together

GuestChannel Guest(engine::Engine& engine, const SandboxId& id, uint32_t guest_protocol) {
  return GuestChannel([&engine, id] { return engine.Connect(id); }, GuestChannel::kPatience,
                      guest_protocol);
}

// Processes that the guest started, with their groups, and what they left behind.
Result<void> KillAll(const GuestChannel& guest) {
  for (const protocol::ProcessInfo& process : TRY(guest.ListProcesses())) {
    protocol::SignalRequest request;
    request.process = process.process;
    request.signal = SIGKILL;
    // One that has ended meanwhile is as wanted.
    if (const auto killed = guest.Signal(request);
        !killed && killed.error().code() == ErrorCode::kUnavailable)
      return killed;
    (void)guest.KillLeftovers(process.process);
  }
  return {};
}

// The first entries of a directory, as this user sees it; none when it may not look.
std::vector<std::string> SomeEntries(const GuestChannel& guest, const std::string& user,
                                     const std::string& path) {
  std::vector<std::string> entries;
  protocol::ListRequest list;
  list.user = user;
  list.path = path;
  (void)guest.List(list, [&](const protocol::FileInfo& entry) -> Result<void> {
    if (entries.size() == kBatch) return Failure(Error::Invalid("enough"));
    entries.push_back(path + "/" + entry.path);
    return {};
  });
  return entries;
}

Result<void> Remove(const GuestChannel& guest, const std::string& user, const std::string& path) {
  protocol::RemoveRequest remove;
  remove.user = user;
  remove.path = path;
  remove.recursive = true;
  remove.missing_is_fine = true;
  return guest.Remove(remove);
}

// What is in a directory goes. Root in a sandbox has no capabilities: what belongs to one user is
// that user's to remove, so both go over it in turns.
Result<void> EmptyDirectory(const GuestChannel& guest, const std::string& path) {
  Result<void> last;
  int idle = 0;
  for (int pass = 0; pass < kMaxPasses && idle < kMaxIdlePasses; ++pass) {
    const std::string user = pass % 2 == 0 ? kUser : kRoot;
    const std::vector<std::string> entries = SomeEntries(guest, user, path);
    bool removed_any = false;
    for (const std::string& entry : entries) {
      auto removed = Remove(guest, user, entry);
      removed_any = removed_any || removed;
      if (!removed) last = std::move(removed);
      // Nobody answers any more.
      if (!last && last.error().code() == ErrorCode::kUnavailable) return last;
    }
    if (entries.empty() && SomeEntries(guest, kRoot, path).empty()) return {};
    idle = removed_any ? 0 : idle + 1;
  }
  Error error = last ? Error(ErrorCode::kPermissionDenied, Fault::kCaller, "too much is in it")
                     : last.error();
  return Failure(std::move(error)
                     .WithContext(path + " cannot be emptied")
                     .WithRemedy("destroy the sandbox, and create another"));
}

// A directory of the user's, whatever the code made of it.
Result<void> EmptyUsersDirectory(const GuestChannel& guest, const std::string& path) {
  protocol::StatRequest stat;
  stat.user = kRoot;
  stat.path = path;
  stat.follow = false;
  const auto found = guest.Stat(stat);
  if (found && found->kind == protocol::FileKind::kDirectory) return EmptyDirectory(guest, path);
  if (found && !Remove(guest, kUser, path)) TRY(Remove(guest, kRoot, path));
  protocol::MakeDirectoryRequest make;
  make.path = path;
  make.parents = true;
  return guest.MakeDirectory(make);
}

}  // namespace

Result<uint32_t> EndProcesses(engine::Engine& engine, const SandboxId& id,
                              uint32_t guest_protocol) {
  const auto stopped = engine.Stop(id);
  if (stopped) return TRY(engine.Start(id)).guest_protocol;
  if (stopped.error().code() != ErrorCode::kNotSupported) return Failure(stopped.error());
  TRY(KillAll(Guest(engine, id, guest_protocol)));
  return guest_protocol;
}

Result<void> EmptyWorkspace(engine::Engine& engine, const SandboxId& id, uint32_t guest_protocol) {
  const GuestChannel guest = Guest(engine, id, guest_protocol);
  TRY(EmptyUsersDirectory(guest, "/workspace/agent_workspace"));
  TRY(EmptyUsersDirectory(guest, "/workspace/outputs"));
  return EmptyDirectory(guest, "/tmp");
}

}  // namespace cay::sandbox
