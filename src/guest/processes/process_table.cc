#include "guest/processes/process_table.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/nul.h"
#include "base/os/log.h"
#include "guest/processes/leftovers.h"
#include "guest/spawn/accounts.h"
#include "guest/spawn/path_lookup.h"
#include "guest/spawn/start_defaults.h"
#include "guest/spawn/terminal.h"

namespace cay::guest {
namespace {

using protocol::RlimitKind;

struct KnownLimit {
  RlimitKind kind;
  int resource;
  const char* name;
};
constexpr std::array<KnownLimit, 7> kLimits = {{
    {RlimitKind::kCpuSeconds, RLIMIT_CPU, "cpu seconds"},
    {RlimitKind::kFileSize, RLIMIT_FSIZE, "file size"},
    {RlimitKind::kData, RLIMIT_DATA, "data"},
    {RlimitKind::kStack, RLIMIT_STACK, "stack"},
    {RlimitKind::kOpenFiles, RLIMIT_NOFILE, "open files"},
    {RlimitKind::kAddressSpace, RLIMIT_AS, "address space"},
    {RlimitKind::kMemlock, RLIMIT_MEMLOCK, "locked memory"},
}};

Result<std::vector<ChildRlimit>> Limits(const protocol::StartRequest& request, uint64_t id) {
  std::vector<ChildRlimit> limits = {
      {RLIMIT_CORE, {.rlim_cur = 1, .rlim_max = 1}},                     // confine.cc
      {RLIMIT_LOCKS, {.rlim_cur = MarkOf(id), .rlim_max = MarkOf(id)}},  // leftovers.h
  };
  for (const protocol::Rlimit& wanted : request.rlimits) {
    const KnownLimit& known = kLimits.at(static_cast<size_t>(wanted.kind));
    rlimit has{};
    if (::getrlimit(known.resource, &has) < 0) return Failure(Error::FromErrno("getrlimit"));
    if (wanted.value > has.rlim_max) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           std::string("limit of ") + known.name + ": " +
                               std::to_string(wanted.value) + " is over the sandbox's maximum of " +
                               std::to_string(has.rlim_max)));
    }
    rlimit value{.rlim_cur = wanted.value, .rlim_max = wanted.value};
    // At the hard limit comes SIGKILL (getrlimit(2)), and at both of them nothing else.
    if (wanted.kind == RlimitKind::kCpuSeconds && value.rlim_max < has.rlim_max) ++value.rlim_max;
    limits.push_back({known.resource, value});
  }
  return limits;
}

// A pipe that belongs to the command's user, who can then open it by name: /dev/stdout.
Result<Pipe> MakePipeOf(const SpawnJob& job) {
  Pipe pipe = TRY(MakePipe());
  if (job.change_ids && ::fchown(pipe.read.get(), job.account.uid, job.account.gid) < 0) {
    return Failure(Error::FromErrno("giving a pipe to its user"));
  }
  return pipe;
}

Result<Process::Stdio> MakeStdio(const protocol::StartRequest& request, SpawnJob& job) {
  Process::Stdio stdio;
  if (request.terminal) {
    Terminal terminal = TRY(OpenTerminal(*request.terminal, job.account, job.change_ids));
    job.terminal = STDIN_FILENO;
    job.stdin_fd = TRY(terminal.slave.Duplicate());
    job.stdout_fd = TRY(terminal.slave.Duplicate());
    job.stderr_fd = std::move(terminal.slave);
    stdio.terminal = true;
    stdio.in = TRY(terminal.master.Duplicate());
    stdio.out = std::move(terminal.master);
    return stdio;
  }
  if (request.stdin_open) {
    Pipe in = TRY(MakePipeOf(job));
    TRY(SetNonBlocking(in.write, true));
    job.stdin_fd = std::move(in.read);
    stdio.in = std::move(in.write);
  }
  Pipe out = TRY(MakePipeOf(job));
  TRY(SetNonBlocking(out.read, true));
  job.stdout_fd = std::move(out.write);
  stdio.out = std::move(out.read);
  Pipe err = TRY(MakePipeOf(job));
  TRY(SetNonBlocking(err.read, true));
  job.stderr_fd = std::move(err.write);
  stdio.err = std::move(err.read);
  return stdio;
}

}  // namespace

Result<std::unique_ptr<ProcessTable>> ProcessTable::Create(EventLoop& loop, const Fd& proc,
                                                           bool single_user,
                                                           Privileges privileges) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const int raw = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("signalfd"));
  Fd signals = Fd::Adopt(raw);
  Spawner* spawner = TRY(Spawner::Start(privileges));
  Arbiter* arbiter = TRY(Arbiter::Create(loop, proc));
  auto table = std::unique_ptr<ProcessTable>(new ProcessTable(
      loop, proc, single_user, privileges, std::move(signals), *spawner, *arbiter));
  TRY(loop.Watch(table->signals_.get(), EPOLLIN, *table));
  TRY(loop.Watch(spawner->done_fd(), EPOLLIN, table->spawn_done_));
  return table;
}

ProcessTable::ProcessTable(EventLoop& loop, const Fd& proc, bool single_user, Privileges privileges,
                           Fd signals, Spawner& spawner, Arbiter& arbiter)
    : loop_(loop),
      proc_(proc),
      single_user_(single_user),
      privileges_(privileges),
      signals_(std::move(signals)),
      spawner_(spawner),
      arbiter_(arbiter),
      spawn_done_(*this),
      spawn_timer_(*this) {}

ProcessTable::~ProcessTable() {
  loop_.Forget(signals_.get());
  loop_.Forget(spawner_.done_fd());
  loop_.CancelTimer(spawn_timer_);
}

Result<void> ProcessTable::Check(const protocol::StartRequest& request) const {
  if (request.argv.empty()) return Failure(Error::Invalid("no command"));
  if (request.cwd.empty() || HasNul(request.cwd)) {
    return Failure(Error::Invalid("the working directory is empty or has a NUL"));
  }
  if (std::ranges::any_of(request.argv, HasNul) || std::ranges::any_of(request.env, HasNul)) {
    return Failure(Error::Invalid("an argument or a variable of the environment has a NUL"));
  }
  if (request.ring_bytes < protocol::kMinRingBytes) {
    return Failure(Error::Impossible("the output buffer is under its minimum of " +
                                     std::to_string(protocol::kMinRingBytes) + " bytes"));
  }
  if (running() >= protocol::kMaxRunning) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                         "the sandbox runs its maximum of " +
                             std::to_string(protocol::kMaxRunning) + " processes at a time")
                       .WithRemedy("wait for one to end, or end one"));
  }
  return {};
}

Result<std::shared_ptr<Process>> ProcessTable::Start(protocol::StartRequest request) {
  retired_.clear();
  TRY(Check(request));
  const uint64_t id = next_id_;
  Account account = TRY(LookUpUser(request.user, single_user_));
  FollowAccount(request, account);
  ChooseShell(request);
  const uint32_t capabilities = CapabilitiesOf(account.uid, privileges_);
  if (request.make_directory) {
    TRY(MakeWorkingDirectory(request.cwd, account, capabilities, single_user_));
  }
  std::vector<ChildRlimit> limits = TRY(Limits(request, id));
  std::vector<std::string> candidates = ExecCandidates(request.argv.front(), request.env);
  if (candidates.empty()) {
    return Failure(Error(ErrorCode::kCommandNotFound, Fault::kCaller, "the command is empty"));
  }
  SpawnJob plan;
  plan.account = std::move(account);
  plan.change_ids = !single_user_;
  Process::Stdio stdio = TRY(MakeStdio(request, plan));
  auto process = std::make_shared<Process>(
      loop_, id, std::move(request), std::move(stdio),
      Process::Hooks{
          .find_leftovers = [this](uint64_t ended) { return FindLeftovers(ended); },
          .find_filters = [this](const OutputEnds& output) { return FindFilters(output); },
          .on_ended = [this](Process& ended) { OnEnded(ended); }});
  SpawnJob& job = process->job();
  job.account = std::move(plan.account);
  job.change_ids = plan.change_ids;
  job.capabilities = capabilities;
  job.candidates = std::move(candidates);
  job.Borrow(process->request().argv, process->request().env);
  job.cwd = process->request().cwd;
  job.rlimits = std::move(limits);
  job.proc_fd = proc_.get();
  job.terminal = plan.terminal;
  job.stdin_fd = std::move(plan.stdin_fd);
  job.stdout_fd = std::move(plan.stdout_fd);
  job.stderr_fd = std::move(plan.stderr_fd);
  TRY(process->Begin());
  ++next_id_;
  childless_ = false;
  processes_.emplace(id, process);
  AwaitSpawn(job);
  return process;
}

Result<void> ProcessTable::Launch(std::shared_ptr<SideCommand> command) {
  if (sides_.size() >= kMaxSideCommands) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                         std::to_string(kMaxSideCommands) + " commands run already that were " +
                             "started inside as another user")
                       .WithRemedy("wait for one to end"));
  }
  SpawnJob& job = command->job();
  job.proc_fd = proc_.get();
  childless_ = false;
  sides_.push_back({.command = std::move(command), .spawned = false, .wait_status = {}});
  AwaitSpawn(job);
  return {};
}

void ProcessTable::AwaitSpawn(SpawnJob& job) {
  if (spawning_.empty()) loop_.SetTimer(spawn_timer_, EventLoop::Clock::now() + kSpawnPatience);
  spawning_.push_back(&job);
  spawner_.Submit(job);
}

Result<std::shared_ptr<Process>> ProcessTable::Find(uint64_t id) const {
  const auto found = processes_.find(id);
  if (found != processes_.end()) return found->second;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "no process " + std::to_string(id) +
                           (id != 0 && id < next_id_ ? ": it ended and was forgotten" : "")));
}

protocol::ProcessList ProcessTable::List() const {
  protocol::ProcessList list;
  for (const auto& [id, process] : processes_) {
    if (!process->request().passing) list.processes.push_back(process->Describe());
  }
  return list;
}

// One round: whoever wants to be sure that nothing is left asks for that first (kKillLeftovers).
void ProcessTable::Drop(Process& process) {
  if (process.leader_alive()) ::kill(-process.pid(), SIGKILL);
  for (const pid_t pid : FindLeftovers(process.id())) ::kill(pid, SIGKILL);
  if (process.ended()) {
    processes_.erase(process.id());
  } else {
    dropped_.insert(process.id());
  }
}

size_t ProcessTable::running() const {
  return static_cast<size_t>(
      std::ranges::count_if(processes_, [](const auto& entry) { return !entry.second->ended(); }));
}

void ProcessTable::OnReady(uint32_t /*events*/) {
  signalfd_siginfo info{};
  // One SIGCHLD may stand for many children.
  [[maybe_unused]] const ssize_t got = ::read(signals_.get(), &info, sizeof info);
  Reap();
}

void ProcessTable::Reap() {
  struct Dead {
    std::shared_ptr<Process> process;
    int status;
    rusage usage;
  };
  std::vector<Dead> dead;
  while (true) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid <= 0) {
      childless_ = pid < 0 && errno == ECHILD;
      break;
    }
    for (const auto& [id, process] : processes_) {
      if (process->pid() != pid || !process->awaits_reaping()) continue;
      dead.push_back({.process = process, .status = status, .usage = usage});
    }
    ReapSide(pid, status);
  }
  // After all are reaped: so it is known whether anything is left.
  for (const Dead& one : dead) one.process->OnReaped(one.status, one.usage);
  ForgetSides();
}

void ProcessTable::ReapSide(pid_t pid, int wait_status) {
  for (Side& side : sides_) {
    if (side.command->job().pid == pid && !side.wait_status) side.wait_status = wait_status;
  }
}

// Tells those whose end is known, too: a child may be reaped before the spawner says that it ran.
void ProcessTable::ForgetSides() {
  std::vector<Side> over;
  for (Side& side : sides_) {
    const bool was_there = side.command->job().pid > 0;
    if (side.spawned && (side.wait_status || !was_there)) over.push_back(side);
  }
  std::erase_if(sides_, [&](const Side& side) {
    return std::ranges::any_of(over, [&](const Side& one) { return one.command == side.command; });
  });
  for (const Side& side : over) {
    if (side.command->job().failed == SpawnStage::kNone)
      side.command->OnReaped(side.wait_status.value_or(0));
  }
}

void ProcessTable::BeginToArbitrate() {
  if (when_requests_ && spawner_.requests()) {
    std::exchange(when_requests_, nullptr)(*spawner_.requests());
  }
  if (arbiter_.begun() || !spawner_.listener()) return;
  const Result<void> begun = arbiter_.Begin(*spawner_.listener(), spawner_.thread_id());
  if (!begun) LogError(begun.error().ToString());
}

void ProcessTable::OnSpawnDone() {
  BeginToArbitrate();
  for (SpawnJob* job : spawner_.TakeDone()) {
    std::erase(spawning_, job);
    loop_.CancelTimer(spawn_timer_);
    if (!spawning_.empty()) loop_.SetTimer(spawn_timer_, EventLoop::Clock::now() + kSpawnPatience);
    const auto found = std::ranges::find_if(
        processes_, [&](const auto& entry) { return &entry.second->job() == job; });
    if (found == processes_.end()) {
      OnSideSpawned(*job);
      continue;
    }
    const std::shared_ptr<Process> process = found->second;
    process->OnSpawned();
    if (dropped_.contains(process->id()) && process->leader_alive()) {
      ::kill(-process->pid(), SIGKILL);
    }
  }
  ForgetSides();
}

void ProcessTable::OnSideSpawned(const SpawnJob& job) {
  const auto found =
      std::ranges::find_if(sides_, [&](const Side& side) { return &side.command->job() == &job; });
  if (found == sides_.end()) return;
  found->spawned = true;
  const std::shared_ptr<SideCommand> command = found->command;
  command->OnSpawned();
}

void ProcessTable::OnSpawnSlow() {
  if (spawning_.empty()) return;
  const pid_t pid = spawning_.front()->pid;
  if (pid > 0) ::kill(pid, SIGKILL);
  loop_.SetTimer(spawn_timer_, EventLoop::Clock::now() + kSpawnPatience);
}

void ProcessTable::OnEnded(Process& process) {
  if (process.start_error()) {
    processes_.erase(process.id());  // its followers hold it as long as they need
    return;
  }
  // Until its connection is gone it can be asked for.
  if (process.request().passing) {
    if (dropped_.erase(process.id()) == 0) return;
    const auto found = processes_.find(process.id());
    retired_.push_back(std::move(found->second));  // it is what is running now
    processes_.erase(found);
    return;
  }
  ended_.push_back(process.id());
  Forget();
}

void ProcessTable::Forget() {
  size_t bytes = 0;
  for (const uint64_t id : ended_) bytes += processes_.at(id)->ring().held_bytes();
  while (ended_.size() > protocol::kMaxEnded || bytes > kMaxEndedBytes) {
    const auto first = processes_.find(ended_.front());
    bytes -= first->second->ring().held_bytes();
    processes_.erase(first);
    ended_.pop_front();
  }
}

std::vector<pid_t> ProcessTable::FindLeftovers(uint64_t id) const {
  if (childless_) return {};
  std::vector<pid_t> leaders;
  for (const auto& [known, process] : processes_) {
    if (!process->ended() && process->pid() > 0) leaders.push_back(process->pid());
  }
  if (!MayHaveOrphans(proc_, spawner_.thread_id(), leaders)) return {};
  auto found = FindMarked(proc_, id);
  // /proc unreadable: nothing can be said of leftovers, and nothing else depends on it.
  return found ? *std::move(found) : std::vector<pid_t>{};
}

FiltersLeft ProcessTable::FindFilters(const OutputEnds& output) const {
  if (childless_) return {};
  return FindOutputFilters(proc_, output).value_or(FiltersLeft{});
}

}  // namespace cay::guest
