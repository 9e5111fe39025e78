// Process: one command that the host started: its output, its stdin, its end.
//
// Life: starting (the spawner has it) → running → reaped (the leader has ended, output may follow)
// → ended (the output is complete; what Exited says is final). A command that could not be started
// goes to ended with start_error().
//
// The end comes when the leader has been reaped and its output is at its end of file. When
// something it left behind holds the output open, the output is cut (Exited::output_cut) with what
// is in the pipe by then: once it was quiet for kOutputGrace, at the latest kFlowGrace after the
// leader's end. For filters of the output (output_filters.h) there is more time: as long as they
// make progress, then kFilterPatience, or with input that they have not read kFilterWorkPatience. A
// signal to the process cuts at once. Later output of leftovers is read and thrown away, so that
// they neither block nor die of it; but a terminal is closed, which hangs them up.
//
// Back-pressure: in Overflow::kBlock nothing is read while a follower lags a whole ring, so the
// command waits in write(2).
#pragma once

#include <sys/resource.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "guest/processes/output_filters.h"
#include "guest/processes/output_ring.h"
#include "guest/spawn/spawn_job.h"
#include "protocol/process_messages.h"

namespace cay::guest {

inline constexpr auto kOutputGrace = std::chrono::milliseconds(100);
inline constexpr auto kFlowGrace = std::chrono::milliseconds(500);
inline constexpr auto kFilterPatience = std::chrono::seconds(2);
inline constexpr auto kFilterWorkPatience = std::chrono::seconds(10);

// One who reads a process's output, or waits for its end.
class Follower {
 public:
  virtual ~Follower() = default;
  // The sequence number it wants next; nothing when it wants no output, and so never lags.
  virtual std::optional<uint64_t> position() const = 0;
  virtual void OnProcessChange() = 0;  // started, more output, ended
};

// One who writes a process's stdin. Writers take turns: the first until it has nothing pending.
class StdinWriter {
 public:
  virtual ~StdinWriter() = default;
  virtual std::string_view pending() const = 0;
  virtual bool wants_close() const = 0;  // after what is pending
  virtual void OnTaken(size_t bytes) = 0;
  virtual void OnStdinClosed() = 0;  // nothing more will be taken
};

class Process final : public EventLoop::Timer {
 public:
  // The host's ends of what the command has for stdio. Of a terminal `out` is its master and `in` a
  // duplicate of it.
  struct Stdio {
    std::optional<Fd> in;
    std::optional<Fd> out;
    std::optional<Fd> err;
    bool terminal = false;
  };

  struct Hooks {
    std::function<std::vector<pid_t>(uint64_t id)> find_leftovers;
    std::function<FiltersLeft(const OutputEnds& output)> find_filters;
    std::function<void(Process&)> on_ended;  // once; also for one that could not be started
  };

  // Owns the request until the command runs: the job's strings are in it.
  Process(EventLoop& loop, uint64_t id, protocol::StartRequest request, Stdio stdio, Hooks hooks);
  ~Process() override;

  uint64_t id() const { return id_; }
  pid_t pid() const { return job_.pid; }
  const protocol::StartRequest& request() const { return request_; }
  const OutputRing& ring() const { return ring_; }
  bool starting() const { return state_ == State::kStarting; }
  bool leader_alive() const { return state_ == State::kRunning; }
  bool ended() const { return state_ == State::kEnded; }
  // Whether its pid is surely its own: it has not been reaped.
  bool awaits_reaping() const {
    return leader_alive() || (starting() && !early_status_.has_value());
  }
  const std::optional<Error>& start_error() const { return start_error_; }
  const protocol::Exited& exited() const { return exited_; }
  bool stdin_open() const { return stdin_.has_value(); }
  protocol::ProcessInfo Describe() const;

  // For the table: begins to read, gives the job to submit, and takes what became of it.
  Result<void> Begin();
  SpawnJob& job() { return job_; }
  void OnSpawned();
  void OnReaped(int wait_status, const rusage& usage);

  void AddFollower(Follower& follower) { followers_.push_back(&follower); }
  void RemoveFollower(Follower& follower);
  void OnFollowerMoved();

  // The writer has something pending, or wants to close.
  void OnStdinPending(StdinWriter& writer);
  void RemoveWriter(StdinWriter& writer);

  // When the leader has ended but not the output, the output is cut instead: the leader's pid may
  // be another process's by now. kIllegalState when all has ended.
  Result<void> Signal(int signal, protocol::SignalTarget target);
  // kIllegalState without a terminal.
  Result<void> Resize(protocol::TerminalSize size);

 private:
  enum class State : uint8_t { kStarting, kRunning, kReaped, kEnded };

  // One pipe of output, or the terminal.
  class Reader final : public EventLoop::Handler {
   public:
    Reader(Process& process, OutputStream stream, Fd fd)
        : process_(process), stream_(stream), fd_(std::move(fd)) {}
    ~Reader() override;
    Result<void> Watch();  // also again, after it paused
    void OnReady(uint32_t events) override;
    // Reads what is there now, and then no more for the ring.
    void CutAfterWhatIsThere();
    bool done() const { return discarding_; }
    const Fd& fd() const { return fd_; }

   private:
    void Pause();
    void Read();
    void Cut();
    void ThrowAway();
    Process& process_;
    OutputStream stream_;
    Fd fd_;
    bool watched_ = false;
    bool grown_ = false;
    bool discarding_ = false;
    std::optional<size_t> left_;  // to be read before it is cut
  };

  class StdinHandler final : public EventLoop::Handler {
   public:
    explicit StdinHandler(Process& process) : process_(process) {}
    void OnReady(uint32_t /*events*/) override { process_.PumpStdin(); }

   private:
    Process& process_;
  };

  size_t Room() const;
  void OnEndOfFile(Reader& reader);
  void OnCut(Reader& reader);
  void OnTime() override;
  bool OutputMayFollow(EventLoop::Clock::time_point now);
  void CutOutput();
  OutputEnds EndsOfOutput() const;
  void CheckEnd();
  void End();
  void PumpStdin();
  void WatchStdin(bool wanted);
  void CloseStdin();
  void NotifyFollowers();

  EventLoop& loop_;
  const uint64_t id_;
  const Hooks hooks_;
  protocol::StartRequest request_;
  SpawnJob job_;
  const bool terminal_;
  const int64_t started_unix_ms_;
  State state_ = State::kStarting;
  OutputRing ring_;
  std::unique_ptr<Reader> out_;
  std::unique_ptr<Reader> err_;
  std::optional<Fd> stdin_;
  StdinHandler stdin_handler_;
  bool stdin_watched_ = false;
  std::vector<Follower*> followers_;
  std::deque<StdinWriter*> writers_;
  std::optional<Error> start_error_;
  protocol::Exited exited_;
  // Since the leader's end.
  struct Remainder {
    EventLoop::Clock::time_point since;
    EventLoop::Clock::time_point moved;  // the last sign of progress
    uint64_t seen_seq = 0;
    uint64_t unread = 0;
  };
  Remainder remainder_;
  std::optional<PipeNumber> input_pipe_;
  std::optional<int> early_status_;  // reaped before the spawner said that it had started
  rusage early_usage_{};
};

}  // namespace cay::guest
