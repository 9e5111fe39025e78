#include "sandbox/reset.h"

#include <signal.h>

#include <string>
#include <vector>

#include "sandbox/guest_channel.h"

namespace cay::sandbox {
namespace {

constexpr const char* kRoot = "root";
constexpr uint64_t kMaxEntries = 1'000'000;

GuestChannel Guest(engine::Engine& engine, const SandboxId& id) {
  return GuestChannel([&engine, id] { return engine.Connect(id); });
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

// What is in the directory goes; the directory itself stays, with its owner.
Result<void> EmptyDirectory(const GuestChannel& guest, const std::string& path) {
  std::vector<std::string> entries;
  protocol::ListRequest list;
  list.user = kRoot;
  list.path = path;
  list.max_entries = kMaxEntries;
  const auto listed = guest.List(list, [&](const protocol::FileInfo& entry) -> Result<void> {
    entries.push_back(entry.path);
    return {};
  });
  if (!listed) return listed;
  for (const std::string& entry : entries) {
    protocol::RemoveRequest remove;
    remove.user = kRoot;
    remove.path = entry.starts_with('/') ? entry : path + "/" + entry;
    remove.recursive = true;
    remove.missing_is_fine = true;
    TRY(guest.Remove(remove));
  }
  return {};
}

// A directory of the user's again, whatever the code made of it.
Result<void> RemakeDirectory(const GuestChannel& guest, const std::string& path) {
  protocol::RemoveRequest remove;
  remove.user = kRoot;
  remove.path = path;
  remove.recursive = true;
  remove.missing_is_fine = true;
  TRY(guest.Remove(remove));
  protocol::MakeDirectoryRequest make;
  make.path = path;  // as uid 1000
  make.parents = true;
  return guest.MakeDirectory(make);
}

}  // namespace

Result<void> EndProcesses(engine::Engine& engine, const SandboxId& id) {
  const auto stopped = engine.Stop(id);
  if (stopped) {
    TRY(engine.Start(id));
    return {};
  }
  if (stopped.error().code() != ErrorCode::kNotSupported) return stopped;
  return KillAll(Guest(engine, id));
}

Result<void> EmptyWorkspace(engine::Engine& engine, const SandboxId& id) {
  const GuestChannel guest = Guest(engine, id);
  TRY(RemakeDirectory(guest, "/workspace/agent_workspace"));
  TRY(RemakeDirectory(guest, "/workspace/outputs"));
  return EmptyDirectory(guest, "/tmp");
}

}  // namespace cay::sandbox
