#include "engine/fake/fake_engine.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace cay::engine::fake {
namespace {

constexpr const char* kStages[] = {"make", "guest"};

Error IllegalState(State state) {
  return Error(ErrorCode::kIllegalState, Fault::kCaller,
               "the sandbox is " + std::string(StateName(state)));
}

}  // namespace

// It may have ended by itself.
void FakeEngine::NoteExit(FakeSandbox& sandbox) {
  if (!sandbox.guest || !sandbox.guest->ended()) return;
  sandbox.guest.reset();
  sandbox.exit = sandbox.end_is;
  if (sandbox.state != State::kStopped) sandbox.state = State::kFailed;
}

FakeEngine::FakeEngine(std::shared_ptr<FakeMachine> machine, FakeOptions options)
    : machine_(std::move(machine)), options_(std::move(options)) {
  const std::lock_guard lock(machine_->mutex);
  for (auto& [id, sandbox] : machine_->sandboxes) {
    const bool free = sandbox.owner == nullptr && !sandbox.orphaned_unix_ms;
    if (free && sandbox.damage.empty()) sandbox.owner = this;
  }
}

FakeEngine::~FakeEngine() {
  const std::lock_guard lock(machine_->mutex);
  for (auto next = machine_->sandboxes.begin(); next != machine_->sandboxes.end();) {
    const auto entry = next++;
    FakeSandbox& sandbox = entry->second;
    if (sandbox.owner != this) continue;
    sandbox.owner = nullptr;
    if (std::exchange(sandbox.still, false) && sandbox.guest) sandbox.guest->SetSilent(false);
    if (sandbox.visited) EndGuestOf(sandbox, {.reason = ExitReason::kStopped});
    sandbox.visited = false;
    if (sandbox.request.lifetime == Lifetime::kEphemeral) machine_->sandboxes.erase(entry);
  }
}

Description FakeEngine::Describe() const {
  return {.name = options_.name,
          .version = "0",
          .runs_on = "memory",
          .stages = {std::begin(kStages), std::end(kStages)}};
}

Result<Diagnosis> FakeEngine::Diagnose() {
  return Diagnosis{.protections = {}, .fully_enforced = false, .can_run = true};
}

Result<void> FakeEngine::CheckCan(bool can, std::string_view what) const {
  if (can) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                       "the engine " + options_.name + " cannot " + std::string(what)));
}

Result<FakeSandbox*> FakeEngine::FindAnyhow(const SandboxId& id) {
  const auto found = machine_->sandboxes.find(id);
  if (found == machine_->sandboxes.end()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + id.text()));
  }
  NoteExit(found->second);
  return &found->second;
}

Result<FakeSandbox*> FakeEngine::Find(const SandboxId& id) {
  FakeSandbox* const sandbox = TRY(FindAnyhow(id));
  if (sandbox->owner == this && sandbox->damage.empty()) return sandbox;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "there is a sandbox " + id.text() + ", and it was not taken over"));
}

Result<FakeSandbox*> FakeEngine::FindIn(const SandboxId& id, std::initializer_list<State> states) {
  FakeSandbox* const sandbox = TRY(Find(id));
  if (std::ranges::find(states, sandbox->state) != states.end()) return sandbox;
  return Failure(IllegalState(sandbox->state));
}

void FakeEngine::EndGuestOf(FakeSandbox& sandbox, const engine::Exit& exit) {
  if (sandbox.guest) sandbox.guest->End();
  sandbox.guest.reset();
  sandbox.network.reset();  // its namespace is gone
  sandbox.exit = exit;
}

Result<Created> FakeEngine::CreatedOf(const FakeSandbox& sandbox) const {
  Created created;
  created.stage_us = NoStageTimes(Describe());
  for (size_t i = 0; i < kLimitKindCount; ++i) {
    const auto limit = static_cast<LimitKind>(i);
    if (options_.not_enforced.Contains(limit))
      created.not_enforced.push_back({limit, "the fake engine was told so"});
  }
  created.scratch = Scratch::kMemory;
  created.guest_protocol = sandbox.guest_protocol;
  if (sandbox.guest) created.guest = TRY(sandbox.guest->Watch());
  return created;
}

// A new guest over the files that there are.
Result<Created> FakeEngine::Begin(FakeSandbox& sandbox) {
  sandbox.guest = TRY(FakeGuest::Start(sandbox.files));
  sandbox.exit = {};
  sandbox.end_is = {.reason = ExitReason::kUnknown};
  sandbox.guest_protocol = protocol::kProtocolVersion;
  return CreatedOf(sandbox);
}

Result<void> FakeEngine::CheckRequest(const CreateRequest& request) const {
  if (request.hostname.empty() || request.label.size() > 4096)
    return Failure(Error::Invalid("a host name or a label that no sandbox can have"));
  for (const LayerReference& layer : LayersOf(request.root)) {
    const bool takes[] = {options_.can.host_layers, options_.can.image_references,
                          options_.can.disk_images};
    TRY(CheckCan(takes[static_cast<size_t>(layer.kind)],
                 "make a root filesystem of " + layer.name));
  }
  TRY(CheckCan(options_.can.root || request.privileges == Privileges::kNone,
               "give root privileges"));
  for (const Mount& mount : request.mounts) {
    TRY(CheckCan(options_.can.host_mounts, "show a sandbox files of this machine"));
    if (::access(mount.source.c_str(), F_OK) != 0) return Failure(Error::FromErrno(mount.source));
  }
  for (size_t i = 0; i < kLimitKindCount && !request.best_effort; ++i) {
    const auto limit = static_cast<LimitKind>(i);
    if (!request.required.Contains(limit) || !options_.not_enforced.Contains(limit)) continue;
    return Failure(Error(ErrorCode::kNotEnforceable, Fault::kCaller,
                         std::string(LimitName(limit)) + " cannot be enforced here"));
  }
  return {};
}

// The sandboxes that there are have theirs, whoever has those.
Result<void> FakeEngine::CheckVolumes(const CreateRequest& request) const {
  TRY(CheckCan(options_.can.volumes || request.volumes.empty(), "give a sandbox volumes"));
  for (const VolumeMount& asked : request.volumes) {
    if (::access(asked.directory.c_str(), F_OK) != 0) {
      return Failure(
          Error(ErrorCode::kNotFound, Fault::kCaller, "there is no volume " + asked.directory));
    }
    for (const auto& [id, sandbox] : machine_->sandboxes) {
      for (const VolumeMount& used : sandbox.request.volumes) {
        if (used.directory != asked.directory || (used.read_only && asked.read_only)) continue;
        return Failure(
            Error(ErrorCode::kIllegalState, Fault::kCaller,
                  "volume " + asked.directory + " is in use: sandbox " + id.text() + " has it"));
      }
    }
  }
  return {};
}

// A call of each, as it is two steps of a real engine's.
Result<Created> FakeEngine::Create(const CreateRequest& request) {
  auto created = CreateAlone(request);
  if (!created || !request.network) return created;
  auto opened = OpenNetwork(request.id);
  if (opened) {
    created->network = *std::move(opened);
    return created;
  }
  const std::lock_guard lock(machine_->mutex);
  EndGuestOf(machine_->sandboxes.at(request.id), {.reason = ExitReason::kStopped});
  machine_->sandboxes.erase(request.id);
  return Failure(std::move(opened).error());
}

Result<Created> FakeEngine::CreateAlone(const CreateRequest& request) {
  return Do(Call::kCreate, [&]() -> Result<Created> {
    TRY(CheckRequest(request));
    if (machine_->sandboxes.contains(request.id)) {
      return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                           "there is a sandbox " + request.id.text() + " already"));
    }
    TRY(CheckVolumes(request));
    FakeSandbox sandbox(request);
    sandbox.owner = this;
    sandbox.created_unix_ms = UnixMs();
    auto created = TRY(Begin(sandbox));
    machine_->sandboxes.emplace(request.id, std::move(sandbox));
    return created;
  });
}

Result<void> FakeEngine::Destroy(const SandboxId& id) {
  return Do(Call::kDestroy, [&]() -> Result<void> {
    EndGuestOf(*TRY(FindAnyhow(id)), {.reason = ExitReason::kStopped});
    machine_->sandboxes.erase(id);
    return {};
  });
}

Result<void> FakeEngine::Stop(const SandboxId& id) {
  return Do(Call::kStop, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.stop, "stop sandboxes"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kRunning, State::kPaused, State::kFailed}));
    if (sandbox.request.lifetime == Lifetime::kEphemeral)
      TRY(CheckCan(false, "stop an ephemeral sandbox"));
    EndGuestOf(sandbox, {.reason = ExitReason::kStopped});
    sandbox.state = State::kStopped;
    return {};
  });
}

Result<Created> FakeEngine::Start(const SandboxId& id) {
  return Do(Call::kStart, [&]() -> Result<Created> {
    TRY(CheckCan(options_.can.stop, "start sandboxes anew"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kStopped, State::kFailed}));
    auto created = sandbox.guest ? CreatedOf(sandbox) : Begin(sandbox);
    if (!created) return created;
    sandbox.state = State::kRunning;
    sandbox.visited = false;
    return created;
  });
}

Result<Created> FakeEngine::Reset(const SandboxId& id, const std::optional<RootFilesystem>& root) {
  return Do(Call::kReset, [&]() -> Result<Created> {
    TRY(CheckCan(options_.can.reset, "reset sandboxes"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kRunning, State::kFailed}));
    EndGuestOf(sandbox, {.reason = ExitReason::kStopped});
    sandbox.files->Clear();
    if (root) sandbox.request.root = *root;
    sandbox.state = State::kRunning;
    return Begin(sandbox);
  });
}

Result<Created> FakeEngine::Visit(const SandboxId& id) {
  return Do(Call::kVisit, [&]() -> Result<Created> {
    TRY(CheckCan(options_.can.visit, "give the files of a stopped sandbox"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kStopped}));
    sandbox.visited = true;
    return sandbox.guest ? CreatedOf(sandbox) : Begin(sandbox);
  });
}

Result<void> FakeEngine::EndVisit(const SandboxId& id) {
  return Do(Call::kEndVisit, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.visit, "give the files of a stopped sandbox"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kStopped}));
    if (!sandbox.visited) return {};
    EndGuestOf(sandbox, {.reason = ExitReason::kStopped});
    sandbox.visited = false;
    return {};
  });
}

Result<void> FakeEngine::Pause(const SandboxId& id) {
  return Do(Call::kPause, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.pause, "pause sandboxes"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kRunning}));
    sandbox.guest->SetSilent(true);
    sandbox.state = State::kPaused;
    return {};
  });
}

Result<void> FakeEngine::Resume(const SandboxId& id) {
  return Do(Call::kResume, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.pause, "pause sandboxes"));
    FakeSandbox& sandbox = *TRY(FindIn(id, {State::kPaused}));
    sandbox.guest->SetSilent(false);
    sandbox.state = State::kRunning;
    return {};
  });
}

Result<void> FakeEngine::Update(const SandboxId& id, const Limits& limits) {
  return Do(Call::kUpdate, [&]() -> Result<void> {
    TRY(CheckCan(options_.can.update_limits, "change limits"));
    Limits& now = TRY(Find(id))->request.limits;
    const bool others = limits.disk != now.disk || limits.inodes != now.inodes ||
                        limits.open_files != now.open_files ||
                        FileSizeLimit(limits) != FileSizeLimit(now);
    TRY(CheckCan(!others, "change other limits than memory, cpus and pids"));
    now = limits;
    return {};
  });
}

}  // namespace cay::engine::fake
