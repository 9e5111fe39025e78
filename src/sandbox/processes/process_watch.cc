#include "sandbox/processes/process_watch.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "guest_link/process_verdict.h"

namespace cay::sandbox {
namespace {

// Whether asking again later may bring an answer.
bool MayPass(const Error& error) {
  return error.code() == ErrorCode::kResourceExhausted || error.code() == ErrorCode::kTimeout;
}

Caller ForServer(const GuestLife& life) { return {.owner = life.owner, .admin = true}; }

}  // namespace

ProcessEnding JudgeEnding(ProcessBook& book, const ProcessEntry& entry, protocol::Exited exited,
                          const std::optional<protocol::Info>& info) {
  ProcessEnding ending;
  if (Failed(exited)) {
    ending.oom_killed = entry.life->ClaimOomKills(
        entry.oom_kills_before, book.manager().OomKills(entry.life->sandbox), Killed(exited));
    ending.disk_full = info && DiskIsFull(*info, entry.life->disk_limit);
  }
  ending.exited = std::move(exited);
  return ending;
}

bool LeavesToBeKilled(const ProcessEntry& entry, const protocol::Exited& exited) {
  return exited.leftover_count > 0 && (entry.kill_leftovers || entry.timed_out());
}

GuestEnd WhyLost(ProcessBook& book, GuestLife& life, Millis patience) {
  if (auto end = life.end()) return *std::move(end);
  const auto view = book.manager().Get(ForServer(life), life.sandbox.text());
  if (!view && view.error().code() == ErrorCode::kNotFound) {
    return {GuestEndKind::kDestroyed, "destroyed"};
  }
  if (view && view->state == SandboxState::kFailed) return {view->guest_end, view->reason};
  if (view && view->state == SandboxState::kStopped) return {GuestEndKind::kStopped, "stopped"};
  // The end of its guest is seen here before the manager has heard of it.
  return life.WaitForEnd(patience);
}

std::optional<SteadyTime> ProcessWatch::OnDeadline() {
  if (HasExited(stage_)) return std::nullopt;  // in time; it was not judged yet
  entry_->SetTimedOut();
  if (stage_ == EndStage::kRunning) {
    silence_.emplace();
    if (entry_->kill_grace <= Millis(0)) {
      Apply(EndEvent::kTimeOverNow);
      return std::nullopt;
    }
    Apply(EndEvent::kTimeOver);
    return SteadyNow() + entry_->kill_grace;
  }
  // Its grace begins when it can hear of it: so once more when it is no longer paused.
  const bool paused = stage_ == EndStage::kAsked && !term_ && IsPaused();
  if (std::exchange(was_paused_, paused) || paused) {
    retry_.reset();
    return SteadyNow() + entry_->kill_grace;
  }
  Apply(EndEvent::kGraceOver);
  return std::nullopt;
}

bool ProcessWatch::IsPaused() const {
  const GuestLife& life = *entry_->life;
  const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
  return view && view->state == SandboxState::kPaused;
}

// Enters the stage that follows, if one does, and closes what it does not ask.
void ProcessWatch::Apply(EndEvent event) {
  const std::optional<EndStage> next = After(stage_, event);
  if (!next) return;
  stage_ = *next;
  const EndQuestions questions = QuestionsOf(stage_);
  if (!questions.wait) wait_.reset();
  if (!questions.term) term_.reset();
  if (!questions.kill) kill_.reset();
  if (!questions.judge) judgement_.reset();
  if (questions.judge) AskForJudgement();
}

bool ProcessWatch::Advance() {
  if (IsOver()) return true;
  TakeWait();
  TakeKill();
  TakeSilence();
  if (EndIfGone()) return true;
  Connect();
  if (EndIfGone()) return true;
  TakeJudgement();
  return IsOver();
}

std::optional<SteadyTime> ProcessWatch::next() const {
  std::optional<SteadyTime> next = retry_;
  const auto not_later = [&next](SteadyTime time) { next = next ? std::min(*next, time) : time; };
  if (kill_) not_later(kill_->until);
  if (judgement_) not_later(judgement_->until);
  if (silence_ && silence_->until) not_later(*silence_->until);
  return next;
}

void ProcessWatch::TakeWait() {
  if (!wait_) return;
  auto end = wait_->Next();
  if (end && !*end) return;
  wait_.reset();
  if (!end) {
    OnRefused(end.error());
    return;
  }
  exited_ = *std::move(end);
  retry_.reset();  // what is still to be asked is asked now
  Apply(LeavesToBeKilled(*entry_, *exited_) ? EndEvent::kExitedLeaving : EndEvent::kExited);
}

void ProcessWatch::TakeKill() {
  if (!kill_) return;
  auto killed = kill_->answer.Next();
  if (killed && !*killed && !kill_->late()) return;
  kill_.reset();
  if (!killed || !*killed) {
    if (!killed) {
      OnRefused(killed.error());
    } else {
      Retry();
    }
    Apply(EndEvent::kKillFailed);
    return;
  }
  remaining_ = (*killed)->remaining;
  if (*remaining_ > 0) Retry();
  Apply(*remaining_ > 0 ? EndEvent::kSomeKilled : EndEvent::kAllKilled);
}

void ProcessWatch::TakeSilence() {
  if (!silence_ || !silence_->until) return;
  // A guest that takes no connection is as silent as one that does not answer on it.
  bool silent = true;
  if (silence_->ping) {
    const auto answer = silence_->ping->Next();
    silent = answer && !*answer;
  }
  if (silent && *silence_->until > SteadyNow()) return;
  silence_.reset();
  if (!silent || exited_) return;
  owed_ = true;
  Finish(ProcessEnding::Lost(
      {.reason = "its time was over, and the sandbox's guest does not answer"}));
  // Its grace is nobody's any more: no deadline of it comes, since it has ended.
  Apply(EndEvent::kGraceOver);
}

// One attempt: where the guest cannot be asked, nothing is said of its disk.
void ProcessWatch::AskForJudgement() {
  if (!Failed(*exited_)) return;
  const auto lease = book_.manager().UseForServer(entry_->life->sandbox);
  if (!lease) return;
  auto info = lease->guest().BeginPing();
  if (!info || !poll_(info->fd())) return;
  judgement_.emplace(*std::move(info), SteadyNow() + kJudgePatience);
}

void ProcessWatch::TakeJudgement() {
  if (stage_ != EndStage::kJudging) return;
  std::optional<protocol::Info> info;
  if (judgement_) {
    auto answer = judgement_->answer.Next();
    if (answer && !*answer && !judgement_->late()) return;
    if (answer && *answer) info = **std::move(answer);
  }
  ProcessEnding ending = JudgeEnding(book_, *entry_, *exited_, info);
  ending.leftovers_remaining = remaining_;
  Finish(ending);
  Apply(EndEvent::kJudged);
}

// What is missing of the connections that its stage needs.
void ProcessWatch::Connect() {
  const EndQuestions questions = QuestionsOf(stage_);
  const bool misses = (questions.wait && !wait_) || (questions.term && !term_) ||
                      (questions.kill && !kill_) || (silence_ && !silence_->ping);
  if (!misses) {
    retry_.reset();
    return;
  }
  if (retry_ && *retry_ > SteadyNow()) return;
  retry_.reset();
  GuestLife& life = *entry_->life;
  const auto lease = book_.manager().UseForServer(life.sandbox);
  if (!lease) {
    const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
    const bool comes_back =
        view && (view->state == SandboxState::kPaused || view->state == SandboxState::kRunning);
    if (!comes_back) NoteCut();
    Retry();
    Apply(EndEvent::kKillFailed);
    return;
  }
  if (lease->view().started_unix_ms != life.started_unix_ms) {
    life.SetGone({.reason = "the sandbox was started again"});
    NoteCut();
    return;
  }
  if (auto connected = ConnectTo(lease->guest()); !connected) {
    OnRefused(connected.error());
    Apply(EndEvent::kKillFailed);
  } else {
    cut_.reset();
  }
}

Result<void> ProcessWatch::ConnectTo(const GuestChannel& guest) {
  const uint64_t process = entry_->guest_process;
  const EndQuestions questions = QuestionsOf(stage_);
  if (silence_ && !silence_->until) silence_->until = SteadyNow() + kHungPatience;
  if (questions.wait && !wait_) {
    WaitStream wait = TRY(guest.Wait(process));
    TRY(poll_(wait.fd()));
    wait_ = std::move(wait);
  }
  if (questions.term && !term_) {
    term_ = TRY(guest.BeginSignal({.process = process, .signal = SIGTERM}));
  }
  if (questions.kill && !kill_) {
    PendingKill kill = TRY(guest.BeginKillLeftovers(process));
    TRY(poll_(kill.fd()));
    kill_.emplace(std::move(kill), SteadyNow() + kKillPatience);
  }
  if (silence_ && !silence_->ping) {
    PendingInfo ping = TRY(guest.BeginPing());
    TRY(poll_(ping.fd()));
    silence_->ping = std::move(ping);
  }
  return {};
}

void ProcessWatch::OnRefused(const Error& error) {
  if (error.code() == ErrorCode::kNotFound && !exited_) {
    // Its guest kept the last results only, and this one was too many.
    Finish(ProcessEnding::Lost(
        {.reason = "it ended while nobody watched, and its result is no longer kept"}));
    Apply(EndEvent::kGone);
    return;
  }
  if (!MayPass(error)) NoteCut();
  Retry();
}

// A connection that was cut is the end of the guest's life, or of nothing: a new one says.
bool ProcessWatch::EndIfGone() {
  if (IsOver()) return true;
  GuestLife& life = *entry_->life;
  const bool ended = life.end().has_value();
  if (!cut_ && (!ended || wait_)) return false;
  // It will be known soon.
  if (!ended && SteadyNow() < *cut_ + kReasonPatience) return false;
  if (exited_) {
    Finish(JudgeEnding(book_, *entry_, *exited_, std::nullopt));
  } else {
    if (!ended) {
      const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
      if (view && (view->state == SandboxState::kRunning || view->state == SandboxState::kPaused) &&
          view->started_unix_ms == life.started_unix_ms) {
        return false;  // it is there: connections may be had again
      }
    }
    Finish(ProcessEnding::Lost(WhyLost(book_, life, Millis(0))));
  }
  Apply(EndEvent::kGone);
  return true;
}

// The first ending counts: that of a process which was owed is told no more.
void ProcessWatch::Finish(const ProcessEnding& ending) { book_.Finish(entry_, ending); }

void ProcessWatch::NoteCut() {
  if (!cut_) cut_ = SteadyNow();
}

void ProcessWatch::Retry() {
  retry_ = SteadyNow() + pause_;
  pause_ = std::min(2 * pause_, kRetryMax);
}

}  // namespace cay::sandbox
