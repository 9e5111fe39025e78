#include "sandbox/processes/process_supervisor.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>

#include "guest_link/process_verdict.h"

namespace cay::sandbox {
namespace {

constexpr size_t kEventsInARound = 64;

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

Result<std::unique_ptr<ProcessSupervisor>> ProcessSupervisor::Start(ProcessBook& book) {
  const int raw_epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (raw_epoll < 0) return Failure(Error::FromErrno("epoll_create1"));
  Fd epoll = Fd::Adopt(raw_epoll);
  Fd wake = TRY(MakeEvent());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (::epoll_ctl(raw_epoll, EPOLL_CTL_ADD, wake.get(), &event) < 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  std::unique_ptr<ProcessSupervisor> supervisor(
      new ProcessSupervisor(book, std::move(epoll), std::move(wake)));
  supervisor->thread_ = std::thread([raw = supervisor.get()] { raw->Run(); });
  return supervisor;
}

ProcessSupervisor::~ProcessSupervisor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

void ProcessSupervisor::Wake() const { Raise(wake_); }

// Most deadlines are later than those before them: then nobody has to be woken.
void ProcessSupervisor::SetDeadline(const std::shared_ptr<ProcessEntry>& entry, Time when) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    deadline_of_[entry.get()] = deadlines_.emplace(when, entry);
    if (when < sleeps_until_) {
      sleeps_until_ = when;
      wake = true;
    }
  }
  if (wake) Wake();
}

void ProcessSupervisor::CancelDeadline(const ProcessEntry& entry) {
  const std::lock_guard lock(mutex_);
  const auto found = deadline_of_.find(&entry);
  if (found == deadline_of_.end()) return;
  deadlines_.erase(found->second);
  deadline_of_.erase(found);
}

void ProcessSupervisor::Adopt(std::shared_ptr<ProcessEntry> entry) {
  {
    const std::lock_guard lock(mutex_);
    adopted_.push_back(std::move(entry));
  }
  Wake();
}

void ProcessSupervisor::LookAt(const SandboxId& sandbox) {
  {
    const std::lock_guard lock(mutex_);
    look_at_.push_back(sandbox);
  }
  Wake();
}

void ProcessSupervisor::Run() {
  std::array<epoll_event, kEventsInARound> events{};
  while (true) {
    const int wait_ms = WaitMillis();
    if (wait_ms == std::numeric_limits<int>::min()) return;
    const int ready =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < ready; ++i) {
      void* what = events[static_cast<size_t>(i)].data.ptr;
      if (what == nullptr) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
      } else if (static_cast<Watch*>(what)->entry) {  // not dropped in this round
        Advance(*static_cast<Watch*>(what));
      }
    }
    TakeOrders();
    TakeDeadlines();
    TakeTimers();
    dropped_.clear();
  }
}

// INT_MIN: it is over.
int ProcessSupervisor::WaitMillis() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return std::numeric_limits<int>::min();
  if (!adopted_.empty() || !look_at_.empty()) return 0;
  Time next = Time::max();
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  sleeps_until_ = next;
  if (next == Time::max()) return -1;
  const auto left = std::chrono::ceil<Millis>(next - SteadyNow()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

void ProcessSupervisor::TakeOrders() {
  std::vector<std::shared_ptr<ProcessEntry>> adopted;
  std::vector<SandboxId> look_at;
  {
    const std::lock_guard lock(mutex_);
    adopted.swap(adopted_);
    look_at.swap(look_at_);
  }
  for (const std::shared_ptr<ProcessEntry>& entry : adopted) {
    if (entry->running()) Advance(WatchOf(entry));
  }
  if (look_at.empty()) return;
  std::vector<Watch*> concerned;
  for (const auto& [entry, watch] : watches_) {
    if (std::ranges::find(look_at, entry->life->sandbox) != look_at.end()) {
      concerned.push_back(watch.get());
    }
  }
  for (Watch* watch : concerned) Advance(*watch);
}

void ProcessSupervisor::TakeDeadlines() {
  std::vector<std::shared_ptr<ProcessEntry>> due;
  {
    const std::lock_guard lock(mutex_);
    const Time now = SteadyNow();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      due.push_back(deadlines_.begin()->second);
      deadline_of_.erase(due.back().get());
      deadlines_.erase(deadlines_.begin());
    }
  }
  for (const std::shared_ptr<ProcessEntry>& entry : due) {
    if (!entry->running()) continue;
    entry->SetTimedOut();
    Watch& watch = WatchOf(entry);
    const bool first = !std::exchange(watch.asked_to_end, true);
    // Its grace begins when it can hear of it: so once more when it is no longer paused.
    const bool paused = !first && watch.term_wanted && IsPaused(*entry);
    if (std::exchange(watch.was_paused, paused) || paused) {
      watch.retry.reset();
      SetDeadline(entry, SteadyNow() + entry->kill_grace);
      Advance(watch);
      continue;
    }
    watch.term_wanted = first && entry->kill_grace > Millis(0);
    watch.kill_wanted = !watch.term_wanted;
    watch.look_wanted = first;
    if (watch.term_wanted) SetDeadline(entry, SteadyNow() + entry->kill_grace);
    Advance(watch);
  }
}

bool ProcessSupervisor::IsPaused(const ProcessEntry& entry) const {
  const GuestLife& life = *entry.life;
  const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
  return view && view->state == SandboxState::kPaused;
}

void ProcessSupervisor::TakeTimers() {
  const Time now = SteadyNow();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Watch& watch = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    watch.timer.reset();
    Advance(watch);
  }
}

ProcessSupervisor::Watch& ProcessSupervisor::WatchOf(const std::shared_ptr<ProcessEntry>& entry) {
  std::unique_ptr<Watch>& watch = watches_[entry.get()];
  if (!watch) {
    watch = std::make_unique<Watch>();
    watch->entry = entry;
  }
  return *watch;
}

void ProcessSupervisor::Drop(Watch& watch) {
  if (watch.timer) timers_.erase({*watch.timer, &watch});
  watch.timer.reset();
  watch.wait.reset();
  watch.term.reset();
  watch.kill.reset();
  watch.ping.reset();
  watch.look.reset();
  const auto found = watches_.find(watch.entry.get());
  dropped_.push_back(std::move(found->second));
  watches_.erase(found);
  watch.entry.reset();
}

void ProcessSupervisor::Advance(Watch& watch) {
  if (Step(watch)) {
    CancelDeadline(*watch.entry);
    Drop(watch);
  } else {
    SetTimer(watch);
  }
}

// True when there is nothing more to do for it.
bool ProcessSupervisor::Step(Watch& watch) {
  if (!watch.entry->running() && !watch.owed) return true;
  TakeWait(watch);
  TakeKill(watch);
  TakeLook(watch);
  if (EndIfGone(watch)) return true;
  Connect(watch);
  if (EndIfGone(watch)) return true;
  if (!watch.exited || watch.kill) return false;
  return Judge(watch);
}

void ProcessSupervisor::TakeWait(Watch& watch) {
  if (!watch.wait) return;
  auto end = watch.wait->Next();
  if (end && !*end) return;
  watch.wait.reset();
  if (!end) {
    OnRefused(watch, end.error());
    return;
  }
  watch.exited = *std::move(end);
  const bool ends_all = watch.entry->kill_leftovers || watch.entry->timed_out();
  if (ends_all && watch.exited->leftover_count > 0 && !watch.remaining) watch.kill_wanted = true;
}

void ProcessSupervisor::TakeKill(Watch& watch) {
  if (!watch.kill) return;
  const bool late = watch.give_up && *watch.give_up <= SteadyNow();
  auto killed = watch.kill->Next();
  if (killed && !*killed && !late) return;
  watch.kill.reset();
  watch.give_up.reset();
  if (!killed) {
    OnRefused(watch, killed.error());
    if (watch.exited) watch.kill_wanted = false;  // its end is known; what it left may be, too
    return;
  }
  if (!*killed) {
    watch.kill_wanted = !watch.exited;
    Retry(watch);
    return;
  }
  watch.kill_wanted = false;
  watch.remaining = (*killed)->remaining;
  if ((*killed)->remaining > 0 && !watch.exited) {
    watch.kill_wanted = true;  // it forks faster than it is killed
    Retry(watch);
  }
}

void ProcessSupervisor::TakeLook(Watch& watch) {
  if (!watch.look_until) return;
  // A guest that takes no connection is as silent as one that does not answer on it.
  bool silent = true;
  if (watch.look) {
    const auto answer = watch.look->Next();
    silent = answer && !*answer;
  }
  if (silent && *watch.look_until > SteadyNow()) return;
  watch.look.reset();
  watch.look_until.reset();
  if (!silent || watch.exited) return;
  watch.owed = true;
  book_.Finish(watch.entry,
               ProcessEnding::Lost(
                   {.reason = "its time was over, and the sandbox's guest does not answer"}));
}

bool ProcessSupervisor::Judge(Watch& watch) {
  std::optional<protocol::Info> info;
  if (Failed(*watch.exited) && !watch.judged) {
    watch.judged = true;
    const auto lease = book_.manager().UseForServer(watch.entry->life->sandbox);
    if (lease) {
      if (auto ping = lease->guest().BeginPing()) {
        watch.ping = *std::move(ping);
        watch.give_up = SteadyNow() + kJudgePatience;
        if (!Poll(watch.ping->fd(), watch)) watch.ping.reset();
      }
    }
  }
  if (watch.ping) {
    auto answer = watch.ping->Next();
    const bool late = watch.give_up && *watch.give_up <= SteadyNow();
    if (answer && !*answer && !late) return false;
    if (answer && *answer) info = **std::move(answer);
    watch.ping.reset();
  }
  ProcessEnding ending = JudgeEnding(book_, *watch.entry, *watch.exited, info);
  ending.leftovers_remaining = watch.remaining;
  book_.Finish(watch.entry, ending);
  return true;
}

// What is missing of the connections it should have.
void ProcessSupervisor::Connect(Watch& watch) {
  const bool wants_wait = !watch.exited && !watch.wait;
  const bool wants_kill = watch.kill_wanted && !watch.kill;
  const bool wants_look = watch.look_wanted || (watch.look_until && !watch.look);
  if (!wants_wait && !wants_kill && !wants_look && !watch.term_wanted) {
    watch.retry.reset();
    return;
  }
  if (watch.retry && *watch.retry > SteadyNow()) return;
  watch.retry.reset();
  const GuestLife& life = *watch.entry->life;
  const auto lease = book_.manager().UseForServer(life.sandbox);
  if (!lease) {
    const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
    const bool comes_back =
        view && (view->state == SandboxState::kPaused || view->state == SandboxState::kRunning);
    if (!comes_back) NoteCut(watch);
    Retry(watch);
    return;
  }
  if (lease->view().started_unix_ms != life.started_unix_ms) {
    watch.entry->life->SetGone({.reason = "the sandbox was started again"});
    NoteCut(watch);
    return;
  }
  if (auto connected = ConnectTo(watch, lease->guest()); !connected) {
    OnRefused(watch, connected.error());
  } else {
    watch.cut.reset();
  }
}

Result<void> ProcessSupervisor::ConnectTo(Watch& watch, const GuestChannel& guest) {
  const uint64_t process = watch.entry->guest_process;
  if (std::exchange(watch.look_wanted, false)) {
    watch.look_until = SteadyNow() + kHungPatience;
  }
  if (!watch.exited && !watch.wait) {
    WaitStream wait = TRY(guest.Wait(process));
    TRY(Poll(wait.fd(), watch));
    watch.wait = std::move(wait);
  }
  if (watch.term_wanted) {
    watch.term = TRY(guest.BeginSignal({.process = process, .signal = SIGTERM}));
    watch.term_wanted = false;
  }
  if (watch.kill_wanted && !watch.kill) {
    PendingKill kill = TRY(guest.BeginKillLeftovers(process));
    TRY(Poll(kill.fd(), watch));
    watch.kill = std::move(kill);
    watch.give_up = SteadyNow() + kKillPatience;
  }
  if (watch.look_until && !watch.look) {
    PendingInfo look = TRY(guest.BeginPing());
    TRY(Poll(look.fd(), watch));
    watch.look = std::move(look);
  }
  return {};
}

void ProcessSupervisor::OnRefused(Watch& watch, const Error& error) {
  if (error.code() == ErrorCode::kNotFound && !watch.exited) {
    // Its guest kept the last results only, and this one was too many.
    book_.Finish(
        watch.entry,
        ProcessEnding::Lost(
            {.reason = "it ended while nobody watched, and its result is no longer kept"}));
    return;
  }
  if (!MayPass(error)) NoteCut(watch);
  Retry(watch);
}

void ProcessSupervisor::NoteCut(Watch& watch) {
  if (!watch.cut) watch.cut = SteadyNow();
}

// A connection that was cut is the end of the guest's life, or of nothing: a new one says.
bool ProcessSupervisor::EndIfGone(Watch& watch) {
  if (!watch.entry->running() && !watch.owed) return true;
  GuestLife& life = *watch.entry->life;
  const bool ended = life.end().has_value();
  if (!watch.cut && (!ended || watch.wait)) return false;
  // It will be known soon.
  if (!ended && SteadyNow() < *watch.cut + kReasonPatience) return false;
  if (watch.exited) {
    book_.Finish(watch.entry, JudgeEnding(book_, *watch.entry, *watch.exited, std::nullopt));
    return true;
  }
  if (!ended) {
    const auto view = book_.manager().Get(ForServer(life), life.sandbox.text());
    if (view && (view->state == SandboxState::kRunning || view->state == SandboxState::kPaused) &&
        view->started_unix_ms == life.started_unix_ms) {
      return false;  // it is there: connections may be had again
    }
  }
  book_.Finish(watch.entry, ProcessEnding::Lost(WhyLost(book_, life, Millis(0))));
  return true;
}

void ProcessSupervisor::Retry(Watch& watch) {
  watch.retry = SteadyNow() + watch.pause;
  watch.pause = std::min(2 * watch.pause, kRetryMax);
}

void ProcessSupervisor::SetTimer(Watch& watch) {
  std::optional<Time> next = watch.retry;
  if (watch.give_up && (watch.kill || watch.ping) && (!next || *watch.give_up < *next)) {
    next = watch.give_up;
  }
  if (watch.look_until && (!next || *watch.look_until < *next)) next = watch.look_until;
  if (next == watch.timer) return;
  if (watch.timer) timers_.erase({*watch.timer, &watch});
  watch.timer = next;
  if (next) timers_.emplace(*next, &watch);
}

Result<void> ProcessSupervisor::Poll(int fd, Watch& watch) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  return {};
}

}  // namespace cay::sandbox
