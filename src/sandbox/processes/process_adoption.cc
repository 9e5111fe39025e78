#include "sandbox/processes/process_adoption.h"

#include <poll.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace cay::sandbox {
namespace {

constexpr const char* kForgotten = "it ended while no server ran, and its result is no longer kept";

// One sandbox's part of it.
struct Adoption {
  std::vector<ProcessRow> rows;  // written down as running
  std::shared_ptr<GuestLife> life;
  std::optional<PendingList> asked;
  std::optional<std::vector<protocol::ProcessInfo>> known;  // to the guest
};

class Adopter {
 public:
  Adopter(ProcessBook& book, ProcessSupervisor& supervisor)
      : book_(book), supervisor_(supervisor) {}

  Result<void> Run();

 private:
  void Ask(const SandboxId& id, Adoption& adoption);
  void AwaitAnswers();
  void Settle(const SandboxId& id, Adoption& adoption);
  void LoseAll(const SandboxId& id, Adoption& adoption);
  void TakeOver(const Adoption& adoption, ProcessRow row, const protocol::ProcessInfo* info);
  ProcessRow RowFor(const protocol::ProcessInfo& info) const;

  ProcessBook& book_;
  ProcessSupervisor& supervisor_;
  std::map<SandboxId, Adoption> adoptions_;
};

Result<void> Adopter::Run() {
  for (ProcessRow& row : TRY(book_.Load())) {
    const SandboxId id = TRY(SandboxId::Parse(row.record.sandbox));
    adoptions_[id].rows.push_back(std::move(row));
  }
  for (const SandboxId& id : book_.manager().Running()) adoptions_[id];
  for (auto& [id, adoption] : adoptions_) Ask(id, adoption);
  AwaitAnswers();
  for (auto& [id, adoption] : adoptions_) Settle(id, adoption);
  return {};
}

void Adopter::Ask(const SandboxId& id, Adoption& adoption) {
  const auto lease = book_.manager().UseForServer(id);
  if (!lease) {
    // A paused one runs again some day. One that runs, and cannot be had, has a guest that this
    // program cannot speak to.
    const auto view = book_.manager().Get({.owner = "", .admin = true}, id.text());
    if (view && (view->state == SandboxState::kPaused || view->state == SandboxState::kRunning)) {
      adoption.life = book_.LifeOf(*view).value_or(nullptr);
    }
    return;
  }
  adoption.life = book_.LifeOf(lease->view()).value_or(nullptr);
  if (auto asked = lease->guest().BeginListProcesses()) adoption.asked = *std::move(asked);
}

void Adopter::AwaitAnswers() {
  const SteadyClock::time_point until = SteadyNow() + kAdoptionPatience;
  while (true) {
    std::vector<pollfd> polled;
    for (auto& [id, adoption] : adoptions_) {
      if (!adoption.asked) continue;
      auto list = adoption.asked->Next();
      if (list && !*list) {
        polled.push_back({.fd = adoption.asked->fd(), .events = POLLIN, .revents = 0});
        continue;
      }
      if (list) adoption.known = std::move((**list).processes);
      adoption.asked.reset();
    }
    const auto left = std::chrono::ceil<Millis>(until - SteadyNow()).count();
    if (polled.empty() || left <= 0) return;
    ::poll(polled.data(), polled.size(), static_cast<int>(left));
  }
}

ProcessRow Adopter::RowFor(const protocol::ProcessInfo& info) const {
  ProcessRow row;
  row.guest_process = info.process;
  row.record.pid = info.pid;
  row.record.command = info.argv;
  row.record.terminal = info.terminal;
  row.record.started_unix_ms = info.started_unix_ms;
  if (book_.options().default_timeout > Millis(0)) {
    row.record.deadline_unix_ms = info.started_unix_ms + book_.options().default_timeout.count();
  }
  return row;
}

void Adopter::LoseAll(const SandboxId& id, Adoption& adoption) {
  const auto view = book_.manager().Get({.owner = "", .admin = true}, id.text());
  GuestEnd end{GuestEndKind::kLost, "the sandbox is gone"};
  if (view && view->state == SandboxState::kStopped) {
    end = {GuestEndKind::kStopped, "stopped"};
  } else if (view) {
    end = {view->guest_end, view->reason};
  }
  for (ProcessRow& row : adoption.rows) book_.WriteLost(std::move(row), end);
}

void Adopter::TakeOver(const Adoption& adoption, ProcessRow row,
                       const protocol::ProcessInfo* info) {
  const std::optional<int64_t> deadline = row.record.deadline_unix_ms;
  const auto entry = book_.Readopt(adoption.life, std::move(row));
  if (info != nullptr && info->exited && CheckExited(*info->exited)) {
    book_.Finish(entry, JudgeEnding(book_, *entry, *info->exited, std::nullopt));
    return;
  }
  supervisor_.Adopt(entry);
  if (!deadline) return;
  supervisor_.SetDeadline(entry, SteadyNow() + Millis(*deadline - UnixMs()));
}

void Adopter::Settle(const SandboxId& id, Adoption& adoption) {
  if (!adoption.life) {
    LoseAll(id, adoption);
    return;
  }
  std::map<uint64_t, const protocol::ProcessInfo*> unclaimed;
  if (adoption.known) {
    for (const protocol::ProcessInfo& info : *adoption.known) unclaimed[info.process] = &info;
  }
  const uint64_t last_written = book_.LastOf(*adoption.life);
  for (ProcessRow& row : adoption.rows) {
    if (row.life_started_ms != adoption.life->started_unix_ms) {
      book_.WriteLost(std::move(row), {.reason = "the sandbox was started again"});
      continue;
    }
    const auto found = unclaimed.find(row.guest_process);
    if (found != unclaimed.end()) {
      TakeOver(adoption, std::move(row), found->second);
      unclaimed.erase(found);
    } else if (adoption.known) {
      book_.WriteLost(std::move(row), {.reason = kForgotten});
    } else {
      TakeOver(adoption, std::move(row), nullptr);
    }
  }
  // Started in the last moment of the server before, or ended long ago.
  for (const auto& [process, info] : unclaimed) {
    if (info->exited && process <= last_written) continue;
    TakeOver(adoption, RowFor(*info), info);
  }
}

}  // namespace

Result<void> AdoptProcesses(ProcessBook& book, ProcessSupervisor& supervisor) {
  return Adopter(book, supervisor).Run();
}

}  // namespace cay::sandbox
