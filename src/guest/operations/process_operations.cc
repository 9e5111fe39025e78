#include "guest/operations/process_operations.h"

#include <signal.h>
#include <sys/vfs.h>

#include <array>
#include <set>

#include "guest/operations/connection.h"
#include "guest/operations/server.h"
#include "guest/operations/stdin_feed.h"
#include "guest/processes/leftovers.h"
#include "guest/processes/process.h"
#include "guest/processes/process_table.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

#ifndef CAY_VERSION
#error "CAY_VERSION comes from the build"
#endif

namespace cay::guest {
namespace {

using protocol::FrameType;

Failure UnexpectedFrame() {
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "this request takes no such frame"));
}

// kStart and kAttach: output to the host, stdin and signals from it.
class FollowOperation final : public Operation, public Follower {
 public:
  // `drops`: null, or the table that forgets the process with this connection.
  FollowOperation(Connection& connection, std::shared_ptr<Process> process, uint64_t from_seq,
                  ProcessTable* drops = nullptr)
      : connection_(connection),
        process_(std::move(process)),
        position_(from_seq),
        drops_(drops),
        stdin_(connection, process_, [](bool /*complete*/) {}) {
    process_->AddFollower(*this);
  }
  ~FollowOperation() override {
    process_->RemoveFollower(*this);
    if (drops_ != nullptr) drops_->Drop(*process_);
  }

  std::optional<uint64_t> position() const override { return position_; }
  void OnProcessChange() override {
    Pump();
    connection_.Update();
  }

  bool WantsToSend() const override {
    return started_ && (position_ < process_->ring().end_seq() || process_->ended());
  }
  Result<void> OnRoom() override {
    Pump();
    return {};
  }
  Result<void> OnFrame(const protocol::Frame& frame) override;
  void Pump();

 private:
  void SendOutput();

  Connection& connection_;
  std::shared_ptr<Process> process_;
  uint64_t position_;
  ProcessTable* const drops_;
  StdinFeed stdin_;
  bool started_ = false;
  bool finished_ = false;
};

void FollowOperation::Pump() {
  if (finished_ || process_->starting()) return;
  if (process_->start_error()) {
    finished_ = true;
    connection_.Fail(*process_->start_error());
    return;
  }
  if (!started_) {
    started_ = true;
    const protocol::StartRequest& request = process_->request();
    connection_.SendMessage(
        FrameType::kStarted,
        protocol::Started{.process = process_->id(),
                          .pid = process_->pid(),
                          .shell = request.shell ? request.argv.front() : std::string()});
  }
  SendOutput();
  if (process_->ended() && position_ == process_->ring().end_seq()) {
    finished_ = true;
    connection_.SendMessage(FrameType::kExited, process_->exited());
    connection_.Finish();
  }
}

void FollowOperation::SendOutput() {
  const OutputRing& ring = process_->ring();
  const uint64_t before = position_;
  // While nothing is queued each frame goes from the ring to the socket without a copy.
  while (connection_.queued() == 0) {
    const auto next = ring.Read(position_, protocol::kMaxDataBytes);
    if (!next) break;
    if (const auto* missing = std::get_if<OutputRing::Missing>(&*next)) {
      connection_.SendMessage(FrameType::kGap,
                              protocol::Gap{.from = missing->from, .to = missing->to});
      position_ = missing->to;
      continue;
    }
    const auto& piece = std::get<OutputRing::Piece>(*next);
    std::array<char, protocol::kOutputHeaderBytes> seq;
    protocol::StoreU64(seq.data(), piece.seq);
    connection_.Send(
        piece.stream == OutputStream::kStdout ? FrameType::kStdout : FrameType::kStderr,
        {seq.data(), seq.size()}, piece.bytes);
    position_ += piece.bytes.size();
  }
  if (position_ != before) process_->OnFollowerMoved();
}

Result<void> FollowOperation::OnFrame(const protocol::Frame& frame) {
  switch (frame.type) {
    case FrameType::kStdinData:
    case FrameType::kStdinEnd:
      return stdin_.OnFrame(frame);
    // Neither is answered here: that the process has just ended is no error, its end is on the way.
    case FrameType::kSignal: {
      const auto request = TRY(protocol::Decode<protocol::SignalRequest>(frame.payload));
      if (request.process != 0) return UnexpectedFrame();
      static_cast<void>(process_->Signal(static_cast<int>(request.signal), request.target));
      return {};
    }
    case FrameType::kResize: {
      const auto request = TRY(protocol::Decode<protocol::ResizeRequest>(frame.payload));
      if (request.process != 0) return UnexpectedFrame();
      static_cast<void>(process_->Resize(request.size));
      return {};
    }
    default:
      return UnexpectedFrame();
  }
}

// kWait: the end, and nothing of the output.
class WaitOperation final : public Operation, public Follower {
 public:
  WaitOperation(Connection& connection, std::shared_ptr<Process> process)
      : connection_(connection), process_(std::move(process)) {
    process_->AddFollower(*this);
  }
  ~WaitOperation() override { process_->RemoveFollower(*this); }

  std::optional<uint64_t> position() const override { return std::nullopt; }
  void OnProcessChange() override {
    if (finished_ || !process_->ended()) return;
    finished_ = true;
    if (process_->start_error()) {
      connection_.Fail(*process_->start_error());
      return;
    }
    connection_.SendMessage(FrameType::kExited, process_->exited());
    connection_.Finish();
  }
  Result<void> OnFrame(const protocol::Frame& /*frame*/) override { return UnexpectedFrame(); }

 private:
  Connection& connection_;
  std::shared_ptr<Process> process_;
  bool finished_ = false;
};

// kOpenStdin.
class StdinOperation final : public Operation {
 public:
  StdinOperation(Connection& connection, std::shared_ptr<Process> process)
      : connection_(connection), stdin_(connection, std::move(process), [this](bool complete) {
          if (complete) {
            connection_.Send(FrameType::kDone, "");
            connection_.Finish();
          } else {
            connection_.Fail(
                Error(ErrorCode::kIllegalState, Fault::kCaller, "the process takes no more input"));
          }
        }) {}
  Result<void> OnFrame(const protocol::Frame& frame) override {
    if (frame.type != FrameType::kStdinData && frame.type != FrameType::kStdinEnd &&
        frame.type != FrameType::kStdinFlush) {
      return UnexpectedFrame();
    }
    return stdin_.OnFrame(frame);
  }

 private:
  Connection& connection_;
  StdinFeed stdin_;
};

// kKillLeftovers: each round finds and kills what there is, until a round finds nothing. What forks
// is in the group or is found in the next round, smaller each time: finding is slow, but killing
// what was found is one call each, and a killed process forks no more.
class KillOperation final : public Operation, public EventLoop::Timer {
 public:
  KillOperation(Guest& guest, Connection& connection, std::shared_ptr<Process> process)
      : guest_(guest), connection_(connection), process_(std::move(process)) {}
  ~KillOperation() override { guest_.loop.CancelTimer(*this); }

  bool WantsToSend() const override { return !waiting_; }
  Result<void> OnFrame(const protocol::Frame& /*frame*/) override { return UnexpectedFrame(); }
  Result<void> OnRoom() override {
    // The whole group in one step, while its number is surely the process's.
    if (process_->leader_alive()) ::kill(-process_->pid(), SIGKILL);
    const std::vector<pid_t> found = TRY(FindMarked(guest_.proc, process_->id()));
    if (found.empty() || EventLoop::Clock::now() > give_up_) {
      connection_.SendMessage(
          FrameType::kLeftoversKilled,
          protocol::LeftoversKilled{.killed = killed_.size(), .remaining = found.size()});
      connection_.Finish();
      return {};
    }
    bool only_dying = true;
    for (const pid_t pid : found) {
      if (::kill(pid, SIGKILL) == 0 && killed_.insert(pid).second) only_dying = false;
    }
    if (only_dying) {
      waiting_ = true;
      guest_.loop.SetTimer(*this, EventLoop::Clock::now() + kDyingPause);
    }
    return {};
  }

 private:
  static constexpr auto kDyingPause = std::chrono::milliseconds(1);
  static constexpr auto kPatience = std::chrono::seconds(5);
  void OnTime() override {
    waiting_ = false;
    connection_.Update();
  }

  Guest& guest_;
  Connection& connection_;
  std::shared_ptr<Process> process_;
  std::set<pid_t> killed_;
  const EventLoop::Clock::time_point give_up_ = EventLoop::Clock::now() + kPatience;
  bool waiting_ = false;
};

}  // namespace

Result<std::unique_ptr<Operation>> OpenPing(Guest& guest, Connection& connection,
                                            std::string_view payload) {
  if (!payload.empty()) return UnexpectedFrame();
  protocol::Info info;
  info.guest_version = CAY_VERSION;
  info.running = guest.processes.running();
  info.kept = guest.processes.kept();
  info.single_user = guest.single_user;
  struct statfs disk{};
  if (::statfs("/", &disk) != 0) return Failure(Error::FromErrno("statfs /"));
  info.disk_free_bytes = disk.f_bavail * static_cast<uint64_t>(disk.f_bsize);
  info.inodes_free = disk.f_ffree;
  connection.SendMessage(FrameType::kInfo, info);
  return nullptr;
}

Result<std::unique_ptr<Operation>> OpenStart(Guest& guest, Connection& connection,
                                             std::string_view payload) {
  auto request = TRY(protocol::Decode<protocol::StartRequest>(payload));
  ProcessTable* const drops = request.passing ? &guest.processes : nullptr;
  std::shared_ptr<Process> process = TRY(guest.processes.Start(std::move(request)));
  return std::make_unique<FollowOperation>(connection, std::move(process), 0, drops);
}

Result<std::unique_ptr<Operation>> OpenAttach(Guest& guest, Connection& connection,
                                              std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::AttachRequest>(payload));
  std::shared_ptr<Process> process = TRY(guest.processes.Find(request.process));
  if (request.from_seq > process->ring().end_seq()) {
    return Failure(Error::Invalid("output " + std::to_string(request.from_seq) +
                                  " is not there yet: its end is " +
                                  std::to_string(process->ring().end_seq())));
  }
  auto operation =
      std::make_unique<FollowOperation>(connection, std::move(process), request.from_seq);
  operation->Pump();
  return operation;
}

Result<std::unique_ptr<Operation>> OpenListProcesses(Guest& guest, Connection& connection,
                                                     std::string_view payload) {
  if (!payload.empty()) return UnexpectedFrame();
  connection.SendMessage(FrameType::kProcessList, guest.processes.List());
  return nullptr;
}

Result<std::unique_ptr<Operation>> OpenSignal(Guest& guest, Connection& connection,
                                              std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::SignalRequest>(payload));
  const std::shared_ptr<Process> process = TRY(guest.processes.Find(request.process));
  TRY(process->Signal(static_cast<int>(request.signal), request.target));
  connection.Send(FrameType::kDone, "");
  return nullptr;
}

Result<std::unique_ptr<Operation>> OpenResize(Guest& guest, Connection& connection,
                                              std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ResizeRequest>(payload));
  const std::shared_ptr<Process> process = TRY(guest.processes.Find(request.process));
  TRY(process->Resize(request.size));
  connection.Send(FrameType::kDone, "");
  return nullptr;
}

Result<std::unique_ptr<Operation>> OpenStdin(Guest& guest, Connection& connection,
                                             std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ProcessRequest>(payload));
  std::shared_ptr<Process> process = TRY(guest.processes.Find(request.process));
  if (!process->stdin_open()) {
    return Failure(
        Error(ErrorCode::kIllegalState, Fault::kCaller, "the process's stdin is not open"));
  }
  return std::make_unique<StdinOperation>(connection, std::move(process));
}

Result<std::unique_ptr<Operation>> OpenKillLeftovers(Guest& guest, Connection& connection,
                                                     std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ProcessRequest>(payload));
  std::shared_ptr<Process> process = TRY(guest.processes.Find(request.process));
  return std::make_unique<KillOperation>(guest, connection, std::move(process));
}

Result<std::unique_ptr<Operation>> OpenWait(Guest& guest, Connection& connection,
                                            std::string_view payload) {
  const auto request = TRY(protocol::Decode<protocol::ProcessRequest>(payload));
  auto operation =
      std::make_unique<WaitOperation>(connection, TRY(guest.processes.Find(request.process)));
  operation->OnProcessChange();
  return operation;
}

}  // namespace cay::guest
