#include "guest/processes/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "guest/spawn/spawn_error.h"
#include "guest/spawn/terminal.h"

namespace cay::guest {
namespace {

// A pipe has 64 KiB at first (pipe(7)); one that is found full is made larger, so that writer and
// reader take turns less often.
constexpr size_t kFullPipeBytes = 64 * 1024;
constexpr int kGrownPipeBytes = 256 * 1024;

constexpr size_t kThrowAwayBytes = 1024 * 1024;

uint64_t Micros(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

Failure Illegal(std::string message) {
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller, std::move(message)));
}

}  // namespace

Process::Reader::~Reader() { process_.loop_.Forget(fd_.get()); }

Result<void> Process::Reader::Watch() {
  if (watched_) return {};
  TRY(process_.loop_.Watch(fd_.get(), EPOLLIN, *this));
  watched_ = true;
  return {};
}

// Not only no EPOLLIN: EPOLLHUP, which cannot be masked, would keep the loop busy.
void Process::Reader::Pause() {
  process_.loop_.Forget(fd_.get());
  watched_ = false;
}

void Process::Reader::OnReady(uint32_t /*events*/) {
  if (discarding_) {
    ThrowAway();
  } else {
    Read();
  }
}

void Process::Reader::Read() {
  const size_t max = std::min(process_.Room(), left_.value_or(OutputRing::kMaxCommit));
  if (max == 0) {
    Pause();
    return;
  }
  const auto space = process_.ring_.Space(max);
  if (!space) {
    Cut();
    return;
  }
  const ssize_t got = ::readv(fd_.get(), space->data(), 2);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {  // EIO: the last who had the terminal open has closed it
    process_.OnEndOfFile(*this);
    return;
  }
  const auto bytes = static_cast<size_t>(got);
  process_.ring_.Commit(stream_, bytes);
  if (!grown_ && bytes >= kFullPipeBytes) {
    grown_ = true;
    ::fcntl(fd_.get(), F_SETPIPE_SZ, kGrownPipeBytes);
  }
  if (left_) *left_ -= bytes;
  process_.NotifyFollowers();
  if (left_ == 0U) Cut();
}

void Process::Reader::CutAfterWhatIsThere() {
  if (discarding_) return;
  left_ = UnreadBytes(fd_);
  if (left_ == 0U) Cut();
}

void Process::Reader::Cut() {
  discarding_ = true;
  process_.OnCut(*this);
}

void Process::Reader::ThrowAway() {
  // The guest's stdout is /dev/null: the pages are dropped without a copy.
  const ssize_t got = ::splice(fd_.get(), nullptr, STDOUT_FILENO, nullptr, kThrowAwayBytes,
                               SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) process_.OnEndOfFile(*this);
}

Process::Process(EventLoop& loop, uint64_t id, protocol::StartRequest request, Stdio stdio,
                 Hooks hooks)
    : loop_(loop),
      id_(id),
      hooks_(std::move(hooks)),
      request_(std::move(request)),
      terminal_(stdio.terminal),
      started_unix_ms_(UnixMs()),
      ring_(request_.ring_bytes),
      stdin_(std::move(stdio.in)),
      stdin_handler_(*this) {
  if (stdio.out) {
    out_ = std::make_unique<Reader>(*this, OutputStream::kStdout, *std::move(stdio.out));
  }
  if (stdin_ && !terminal_) input_pipe_ = NumberOfPipe(*stdin_);
  if (stdio.err) {
    err_ = std::make_unique<Reader>(*this, OutputStream::kStderr, *std::move(stdio.err));
  }
}

Process::~Process() {
  loop_.CancelTimer(*this);
  if (stdin_watched_) loop_.Forget(stdin_->get());
}

Result<void> Process::Begin() {
  if (out_) TRY(out_->Watch());
  if (err_) TRY(err_->Watch());
  return {};
}

protocol::ProcessInfo Process::Describe() const {
  protocol::ProcessInfo info;
  info.process = id_;
  info.pid = pid();
  for (const std::string& argument : request_.argv) {
    if (info.argv.size() == protocol::kMaxListedArguments) break;
    info.argv.push_back(argument.substr(0, protocol::kMaxListedArgumentBytes));
  }
  info.terminal = terminal_;
  info.stdin_open = stdin_open();
  info.started_unix_ms = started_unix_ms_;
  info.first_seq = ring_.first_seq();
  info.end_seq = ring_.end_seq();
  if (ended()) info.exited = exited_;
  return info;
}

void Process::OnSpawned() {
  job_.CloseStdio();
  if (job_.failed != SpawnStage::kNone) {
    start_error_ = DescribeSpawnFailure(job_);
    state_ = State::kEnded;
    NotifyFollowers();
    hooks_.on_ended(*this);
    return;
  }
  // What was only for the start may be large, and the process may live for long.
  job_.LetGoOfStrings();
  request_.env = {};
  if (request_.argv.size() > protocol::kMaxListedArguments) {
    request_.argv.resize(protocol::kMaxListedArguments);
  }
  for (std::string& argument : request_.argv) {
    if (argument.size() <= protocol::kMaxListedArgumentBytes) continue;
    argument.resize(protocol::kMaxListedArgumentBytes);
    argument.shrink_to_fit();
  }
  state_ = State::kRunning;
  NotifyFollowers();
  if (early_status_) OnReaped(*early_status_, early_usage_);
}

void Process::OnReaped(int wait_status, const rusage& usage) {
  if (state_ == State::kStarting) {
    early_status_ = wait_status;
    early_usage_ = usage;
    return;
  }
  state_ = State::kReaped;
  if (WIFSIGNALED(wait_status)) {
    exited_.signal = static_cast<uint32_t>(WTERMSIG(wait_status));
    exited_.core_dumped = WCOREDUMP(wait_status);
  } else {
    exited_.exit_code = WEXITSTATUS(wait_status);
  }
  exited_.cpu_us = Micros(usage.ru_utime) + Micros(usage.ru_stime);
  exited_.max_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  CloseStdin();
  const EventLoop::Clock::time_point now = EventLoop::Clock::now();
  remainder_ = {.since = now, .moved = now, .seen_seq = ring_.end_seq()};
  loop_.SetTimer(*this, now + kOutputGrace);
  CheckEnd();
}

void Process::OnTime() {
  const EventLoop::Clock::time_point now = EventLoop::Clock::now();
  if (!OutputMayFollow(now)) {
    CutOutput();
    return;
  }
  // That it is complete is seen at once; this is only how late it is seen that nothing follows.
  const auto pause =
      std::clamp((now - remainder_.since) / 4, EventLoop::Clock::duration(kOutputGrace / 2),
                 EventLoop::Clock::duration(kFilterPatience / 2));
  loop_.SetTimer(*this, now + pause);
}

bool Process::OutputMayFollow(EventLoop::Clock::time_point now) {
  // What waits for a slow follower is not the writer's delay.
  const bool waits = (out_ && UnreadBytes(out_->fd()) > 0) || (err_ && UnreadBytes(err_->fd()) > 0);
  if (waits || std::exchange(remainder_.seen_seq, ring_.end_seq()) != ring_.end_seq()) {
    remainder_.moved = now;
  }
  if (now - remainder_.moved < kOutputGrace && now - remainder_.since < kFlowGrace) return true;
  const FiltersLeft filters = hooks_.find_filters(EndsOfOutput());
  if (!filters.any) return false;
  if (std::exchange(remainder_.unread, filters.unread) != filters.unread) remainder_.moved = now;
  return now - remainder_.moved < (filters.unread > 0
                                       ? EventLoop::Clock::duration(kFilterWorkPatience)
                                       : EventLoop::Clock::duration(kFilterPatience));
}

// Each may end and go away under it.
void Process::CutOutput() {
  loop_.CancelTimer(*this);
  if (out_) out_->CutAfterWhatIsThere();
  if (err_) err_->CutAfterWhatIsThere();
}

OutputEnds Process::EndsOfOutput() const {
  OutputEnds ends{.pipes = {}, .terminal = std::nullopt, .input = input_pipe_};
  for (const auto* reader : {out_.get(), err_.get()}) {
    if (reader == nullptr || reader->done()) continue;
    if (terminal_) {
      ends.terminal = SlaveDevice(reader->fd());
    } else if (const auto pipe = NumberOfPipe(reader->fd())) {
      ends.pipes.push_back(*pipe);
    }
  }
  return ends;
}

void Process::OnEndOfFile(Reader& reader) {
  std::unique_ptr<Reader>& holder = &reader == out_.get() ? out_ : err_;
  loop_.Forget(reader.fd().get());
  loop_.Dispose(std::move(holder));
  CheckEnd();
}

void Process::OnCut(Reader& reader) {
  exited_.output_cut = true;
  if (terminal_ || !reader.Watch()) {
    OnEndOfFile(reader);
  } else {
    CheckEnd();
  }
}

void Process::CheckEnd() {
  if (state_ != State::kReaped) return;
  if ((out_ && !out_->done()) || (err_ && !err_->done())) return;
  End();
}

void Process::End() {
  loop_.CancelTimer(*this);
  const std::vector<pid_t> leftovers = hooks_.find_leftovers(id_);
  exited_.leftover_count = leftovers.size();
  exited_.leftovers.assign(leftovers.begin(),
                           leftovers.begin() + static_cast<ptrdiff_t>(std::min(
                                                   leftovers.size(), protocol::kMaxLeftovers)));
  exited_.end_seq = ring_.end_seq();
  state_ = State::kEnded;
  NotifyFollowers();
  hooks_.on_ended(*this);
}

size_t Process::Room() const {
  size_t room = OutputRing::kMaxCommit;
  if (request_.overflow == protocol::Overflow::kDrop) return room;
  for (const Follower* follower : followers_) {
    const std::optional<uint64_t> position = follower->position();
    if (position) room = std::min(room, ring_.RoomBehind(*position));
  }
  return room;
}

void Process::RemoveFollower(Follower& follower) {
  std::erase(followers_, &follower);
  OnFollowerMoved();
}

void Process::OnFollowerMoved() {
  if (Room() == 0) return;
  if (out_ && !out_->Watch()) OnEndOfFile(*out_);
  if (err_ && !err_->Watch()) OnEndOfFile(*err_);
}

void Process::NotifyFollowers() {
  // By index: what a follower does may add another.
  for (size_t i = 0; i < followers_.size(); ++i) followers_[i]->OnProcessChange();
}

void Process::OnStdinPending(StdinWriter& writer) {
  if (!stdin_) {
    writer.OnStdinClosed();
    return;
  }
  if (std::ranges::find(writers_, &writer) == writers_.end()) writers_.push_back(&writer);
  PumpStdin();
}

void Process::RemoveWriter(StdinWriter& writer) {
  std::erase(writers_, &writer);
  PumpStdin();
}

void Process::PumpStdin() {
  while (stdin_ && !writers_.empty()) {
    StdinWriter& writer = *writers_.front();
    const std::string_view pending = writer.pending();
    if (pending.empty()) {
      const bool close = writer.wants_close();
      writers_.pop_front();
      if (close) {
        writer.OnStdinClosed();
        CloseStdin();
      }
      continue;
    }
    const ssize_t written = ::write(stdin_->get(), pending.data(), pending.size());
    if (written >= 0) {
      writer.OnTaken(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      WatchStdin(true);
      return;
    } else if (errno != EINTR) {
      CloseStdin();  // EPIPE: the command does not read any more (SIGPIPE is blocked)
    }
  }
  WatchStdin(false);
}

void Process::WatchStdin(bool wanted) {
  if (!stdin_ || stdin_watched_ == wanted) return;
  if (!wanted) {
    loop_.Forget(stdin_->get());
    stdin_watched_ = false;
  } else if (loop_.Watch(stdin_->get(), EPOLLOUT, stdin_handler_)) {
    stdin_watched_ = true;
  } else {
    CloseStdin();
  }
}

void Process::CloseStdin() {
  if (!stdin_) return;
  if (stdin_watched_) loop_.Forget(stdin_->get());
  stdin_watched_ = false;
  stdin_.reset();
  for (StdinWriter* writer : std::exchange(writers_, {})) writer->OnStdinClosed();
}

Result<void> Process::Signal(int signal, protocol::SignalTarget target) {
  if (state_ == State::kStarting) return Illegal("the process has not started yet");
  if (state_ == State::kReaped) {
    CutOutput();
    return {};
  }
  if (state_ != State::kRunning) return Illegal("the process has ended");
  pid_t to = -pid();
  if (target == protocol::SignalTarget::kLeader) {
    to = pid();
  } else if (terminal_ && out_) {
    if (const auto group = ForegroundGroup(out_->fd())) to = -*group;
  }
  if (::kill(to, signal) < 0) return Failure(Error::FromErrno("sending a signal"));
  return {};
}

Result<void> Process::Resize(protocol::TerminalSize size) {
  if (!terminal_) return Illegal("the process has no terminal");
  if (!out_) return Illegal("the terminal is closed");
  return ResizeTerminal(out_->fd(), size);
}

}  // namespace cay::guest
