#include "engine/fake/fake_guest.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/units.h"

namespace cay::engine::fake {

using protocol::FrameType;

std::optional<std::string> FakeFiles::Read(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second;
}

void FakeFiles::Write(const std::string& path, std::string content) {
  const std::lock_guard lock(mutex_);
  files_.insert_or_assign(path, std::move(content));
}

bool FakeFiles::Remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return files_.erase(path) != 0;
}

std::map<std::string, std::string> FakeFiles::All() const {
  const std::lock_guard lock(mutex_);
  return files_;
}

void FakeFiles::Clear() {
  const std::lock_guard lock(mutex_);
  files_.clear();
}

Result<std::shared_ptr<FakeGuest>> FakeGuest::Start(std::shared_ptr<FakeFiles> files) {
  Wakeup gone = TRY(Wakeup::Make());
  Wakeup wake = TRY(Wakeup::Make());
  std::shared_ptr<FakeGuest> guest(
      new FakeGuest(std::move(files), std::move(gone), std::move(wake)));
  guest->thread_ = std::thread([raw = guest.get()] { raw->Run(); });
  return guest;
}

FakeGuest::~FakeGuest() {
  End();
  if (thread_.joinable()) thread_.join();
}

Result<Fd> FakeGuest::Connect() {
  SocketPair pair = TRY(MakeSocketPair(SOCK_STREAM));
  TRY(SetNonBlocking(pair.second, true));
  {
    const std::lock_guard lock(mutex_);
    if (ended_) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the guest is gone"));
    }
    new_.push_back(std::move(pair.second));
  }
  wake_.Raise();
  return std::move(pair.first);
}

// Of the same open file: nobody reads it, so it stays readable for all.
Result<Fd> FakeGuest::Watch() const { return gone_.Duplicate(); }

void FakeGuest::SetSilent(bool silent) {
  silent_ = silent;
  wake_.Raise();
}

void FakeGuest::End() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_.exchange(true)) return;
    new_.clear();
  }
  wake_.Raise();
  // Its connections are cut before anybody sees that it is gone, as those of a process that died.
  if (thread_.joinable()) thread_.join();
  gone_.Raise();
}

void FakeGuest::Run() {
  while (true) {
    Wait();
    if (ended_) break;
    {
      const std::lock_guard lock(mutex_);
      for (Fd& socket : new_) connections_.emplace_back(std::move(socket));
      new_.clear();
    }
    if (silent_) continue;
    for (Connection& connection : connections_) Receive(connection);
    EndSleeps();
    for (Connection& connection : connections_) {
      Feed(connection);
      Flush(connection);
    }
    connections_.remove_if([](const Connection& connection) {
      if (!connection.lost && !(connection.ends && connection.out.empty())) return false;
      const bool starts = connection.role == Role::kFollows && connection.process->passing;
      if (starts) Kill(*connection.process);
      return true;
    });
  }
  connections_.clear();
}

void FakeGuest::Wait() {
  std::vector<pollfd> polled = {{.fd = wake_.fd(), .events = POLLIN, .revents = 0}};
  if (!silent_) {
    for (const Connection& connection : connections_) {
      const int events = connection.out.empty() ? POLLIN : POLLIN | POLLOUT;
      polled.push_back(
          {.fd = connection.socket.get(), .events = static_cast<short>(events), .revents = 0});
    }
  }
  ::poll(polled.data(), polled.size(), WaitMillis());
  wake_.Drain();
}

int FakeGuest::WaitMillis() const {
  std::optional<Clock::time_point> next;
  for (const Process& process : processes_) {
    if (process.ends && !process.exited)
      next = next ? std::min(*next, *process.ends) : process.ends;
  }
  if (!next || silent_) return -1;
  const auto left = std::chrono::ceil<Millis>(*next - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void FakeGuest::EndSleeps() {
  const Clock::time_point now = Clock::now();
  for (Process& process : processes_) {
    if (process.ends && !process.exited && *process.ends <= now) Exit(process, 0, 0);
  }
}

void FakeGuest::Receive(Connection& connection) {
  while (!connection.lost) {
    const auto space = connection.parser.Space();
    const ssize_t got = ::recv(connection.socket.get(), space.data(), space.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      connection.lost = true;
      return;
    }
    connection.parser.Commit(static_cast<size_t>(got));
    while (true) {
      const auto frame = connection.parser.Next();
      if (frame && !*frame) break;
      const auto done = frame ? OnFrame(connection, **frame) : Failure(frame.error());
      if (done) continue;
      const std::string error = protocol::Encode(protocol::ToMessage(done.error()));
      connection.out += protocol::MakeFrame(FrameType::kError, error);
      connection.ends = true;
      return;
    }
  }
}

// What has come of the process that it is about.
void FakeGuest::Feed(Connection& connection) {
  if (connection.process == nullptr || connection.ends) return;
  const Process& process = *connection.process;
  if (connection.role == Role::kFollows) {
    for (const Piece& piece : process.output) {
      const uint64_t end = piece.seq + piece.bytes.size();
      if (end <= connection.next_seq) continue;
      std::string payload(protocol::kOutputHeaderBytes, '\0');
      protocol::StoreU64(payload.data(), connection.next_seq);
      payload += piece.bytes.substr(connection.next_seq - piece.seq);
      connection.out += protocol::MakeFrame(piece.stream, payload);
      connection.next_seq = end;
    }
  }
  const bool waits = connection.role == Role::kFollows || connection.role == Role::kWaits;
  if (!waits || !process.exited) return;
  connection.out += protocol::MakeFrame(FrameType::kExited, protocol::Encode(*process.exited));
  connection.ends = true;
}

void FakeGuest::Flush(Connection& connection) {
  while (!connection.lost && !connection.out.empty()) {
    const ssize_t sent =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) {
      connection.lost = true;
      return;
    }
    connection.out.erase(0, static_cast<size_t>(sent));
  }
}

void FakeGuest::Exit(Process& process, int exit_code, int signal) {
  if (process.exited) return;
  process.exited = protocol::Exited{.exit_code = exit_code,
                                    .signal = static_cast<uint32_t>(signal),
                                    .end_seq = process.end_seq,
                                    .leftover_count = process.leftovers,
                                    .leftovers = {}};
}

void FakeGuest::Signal(Process& process, int signal) {
  const bool harmless = signal == 0 || signal == SIGCONT || signal == SIGCHLD || signal == SIGWINCH;
  const std::string& command = process.argv.front();
  const bool ignored = (command == "stubborn" || command == "breed") && signal != SIGKILL;
  if (!harmless && !ignored) Exit(process, 0, signal);
}

// It, and what it left behind.
protocol::LeftoversKilled FakeGuest::Kill(Process& process) {
  if (process.escapes > 0) {
    --process.escapes;
    return {.killed = 1, .remaining = 1};
  }
  const uint64_t killed = std::exchange(process.leftovers, 0) + (process.exited ? 0 : 1);
  Exit(process, 0, SIGKILL);
  return {.killed = killed};
}

}  // namespace cay::engine::fake
