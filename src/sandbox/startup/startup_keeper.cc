#include "sandbox/startup/startup_keeper.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "sandbox/processes/process_request.h"

namespace cay::sandbox {
namespace {

// As its guest names one in a list.
std::vector<std::string> ListedCommand(std::vector<std::string> command) {
  if (command.size() > protocol::kMaxListedArguments) command.resize(protocol::kMaxListedArguments);
  for (std::string& word : command)
    word.resize(std::min(word.size(), protocol::kMaxListedArgumentBytes));
  return command;
}

StartupEnd EndOf(const ProcessRecord& record) {
  const bool lost = record.state == ProcessState::kLost;
  return {.process = record.id,
          .state = lost ? StartupState::kLost : StartupState::kExited,
          .reason = record.reason,
          .exit_code = record.exit_code,
          .signal = record.signal,
          .unix_ms = record.ended_unix_ms};
}

}  // namespace

Result<std::unique_ptr<StartupKeeper>> StartupKeeper::Open(Manager& manager,
                                                           ProcessKeeper& processes) {
  std::unique_ptr<StartupKeeper> keeper(
      new StartupKeeper(manager, processes, TRY(ImageChecks::Start(manager, processes))));
  manager.OnGuestBegun([raw = keeper.get()](const SandboxId& id) { raw->Begin(id); });
  keeper->TakeOver();
  return keeper;
}

StartupKeeper::~StartupKeeper() {
  manager_.OnGuestBegun({});
  if (late_.joinable()) late_.join();
}

Result<StartupBegin> StartupKeeper::StartFor(const Lease& lease) {
  ProcessSpec spec;
  spec.argv = lease.view().startup->plan.command;
  spec.background = true;
  spec.tag = kStartupTag;
  const RunningProcess process = TRY(processes_.Start(lease, spec));
  const uint64_t inside = TRY(processes_.GuestProcess(lease, process.id()));
  return StartupBegin{.process = process.id(), .guest_process = inside, .unix_ms = UnixMs()};
}

void StartupKeeper::Begin(const SandboxId& id) {
  const auto lease = manager_.UseForServer(id, engine::Engine::kConnectPatience);
  if (!lease) {
    // It does not run any more; it is started with the next start.
    LogWarning("sandbox " + id.text() + ", its start-up process: " + lease.error().ToString());
    return;
  }
  const SandboxView& view = lease->view();
  auto begun = StartFor(*lease);
  if (!begun) {
    manager_.NoteStartup(id, view.started_unix_ms,
                         {.unix_ms = UnixMs(), .reason = begun.error().message()});
    return;
  }
  const uint64_t process = begun->process;
  manager_.NoteStartup(id, view.started_unix_ms, *begun);
  // It may have ended before it was known which it is.
  const auto record = processes_.Get(id, process);
  if (record && record->state != ProcessState::kRunning)
    manager_.NoteProcessEnd(id, EndOf(*record));
  WatchHealth(id, view);
}

void StartupKeeper::WatchHealth(const SandboxId& id, const SandboxView& view) {
  const auto& check = view.startup->plan.check;
  if (check) checks_->Watch(id, view.started_unix_ms, *check);
}

void StartupKeeper::TakeOver() {
  std::vector<SandboxId> unfinished;
  for (const SandboxId& id : manager_.Running()) {
    const auto view = manager_.Get({.owner = {}, .admin = true}, id.text());
    if (!view || !view->startup) continue;
    if (view->startup->state == StartupState::kStarting) {
      if (view->state == SandboxState::kRunning) unfinished.push_back(id);
      continue;
    }
    TakeOverRunning(id, *view);
  }
  if (unfinished.empty()) return;
  // Its guest may hang; the server does not wait for it.
  late_ = std::thread([this, unfinished = std::move(unfinished)] {
    for (const SandboxId& id : unfinished) FinishStarting(id);
  });
}

void StartupKeeper::TakeOverRunning(const SandboxId& id, const SandboxView& view) {
  const Startup& startup = *view.startup;
  if (startup.state == StartupState::kRunning) {
    const auto record = processes_.Get(id, startup.process);
    if (record && record->state != ProcessState::kRunning)
      manager_.NoteProcessEnd(id, EndOf(*record));
    if (!record) {
      manager_.NoteProcessEnd(id, {.process = startup.process,
                                   .state = StartupState::kLost,
                                   .reason = "its result is no longer kept",
                                   .unix_ms = UnixMs()});
    }
  }
  if (startup.process != 0) WatchHealth(id, view);
}

// The server before ended between the sandbox's start and the note of its process, which may run.
void StartupKeeper::FinishStarting(const SandboxId& id) {
  if (!manager_.TakeStartup(id)) return;
  const auto lease = manager_.UseForServer(id, engine::Engine::kConnectPatience);
  if (!lease) return;
  const std::vector<std::string>& command = lease->view().startup->plan.command;
  const auto list = processes_.List(*lease, protocol::kMaxRunning);
  if (list) {
    const auto found = std::ranges::find_if(*list, [&](const ProcessRecord& record) {
      return record.started_unix_ms >= lease->view().started_unix_ms &&
             (record.command == RememberedCommand(command) ||
              record.command == ListedCommand(command));
    });
    const auto inside =
        found == list->end() ? Result<uint64_t>(0) : processes_.GuestProcess(*lease, found->id);
    if (inside && *inside != 0) {
      manager_.NoteStartup(
          id, lease->view().started_unix_ms,
          {.process = found->id, .guest_process = *inside, .unix_ms = found->started_unix_ms});
      if (found->state != ProcessState::kRunning) manager_.NoteProcessEnd(id, EndOf(*found));
      return WatchHealth(id, lease->view());
    }
  }
  Begin(id);
}

}  // namespace cay::sandbox
