// FakeGuest: what speaks the guest's side of the protocol for a sandbox of the fake engine, on a
// thread of its own.
//
//   auto guest = TRY(FakeGuest::Start(files));
//   Fd connection = TRY(guest->Connect());     // protocol/ on a socketpair
//   Fd gone = TRY(guest->Watch());             // polls readable after End()
//
// Its commands are played: true, false, exit N, echo TEXT…, cat, sleep SECONDS; stubborn, which
// sleeps for ever and ignores SIGTERM; breed N, a stubborn one that is killed only the Nth time;
// leave N, which ends and leaves N processes behind. Other commands are not found. Files are bytes
// by their paths; there are no directories.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/os/fd.h"
#include "base/os/wakeup.h"
#include "base/result.h"
#include "protocol/frame.h"
#include "protocol/process_messages.h"

namespace cay::engine::fake {

inline constexpr size_t kMaxFakeFileBytes = size_t{1} << 20;

// The writable layer of a sandbox. Thread-safe.
class FakeFiles {
 public:
  std::optional<std::string> Read(const std::string& path) const;
  void Write(const std::string& path, std::string content);
  bool Remove(const std::string& path);
  void Clear();
  std::map<std::string, std::string> All() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> files_;
};

class FakeGuest {
 public:
  static Result<std::shared_ptr<FakeGuest>> Start(std::shared_ptr<FakeFiles> files);
  ~FakeGuest();
  FakeGuest(const FakeGuest&) = delete;
  FakeGuest& operator=(const FakeGuest&) = delete;

  Result<Fd> Connect();
  Result<Fd> Watch() const;
  // It takes nothing in and says nothing, like a guest that is frozen or hangs.
  void SetSilent(bool silent);
  // Nothing of it runs any more, and it sends no more.
  void End();
  bool ended() const { return ended_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Piece {
    protocol::FrameType stream;
    uint64_t seq;
    std::string bytes;
  };
  struct Process {
    uint64_t id = 0;
    std::vector<std::string> argv;
    bool stdin_open = false;
    bool passing = false;
    int64_t started_unix_ms = 0;
    std::vector<Piece> output{};
    uint64_t end_seq = 0;
    std::optional<Clock::time_point> ends{};  // of a sleep
    uint64_t escapes = 0;                     // how often it is still to be killed in vain
    uint64_t leftovers = 0;                   // of what it left behind, those that live
    std::optional<protocol::Exited> exited{};
  };
  // What a connection is for after its request.
  enum class Role : uint8_t { kNone, kFollows, kWaits, kWrites, kFeeds };
  struct Connection {
    explicit Connection(Fd a_socket) : socket(std::move(a_socket)) {}
    Fd socket;
    protocol::FrameParser parser{protocol::Sender::kHost};
    std::string out{};
    bool ends = false;  // when `out` has been sent
    bool lost = false;
    Role role = Role::kNone;
    Process* process = nullptr;  // processes_ keeps it
    uint64_t next_seq = 0;
    uint64_t fed = 0;
    std::string path{};
    std::string content{};
  };

  FakeGuest(std::shared_ptr<FakeFiles> files, Wakeup gone, Wakeup wake)
      : files_(std::move(files)), gone_(std::move(gone)), wake_(std::move(wake)) {}

  void Run();
  void Wait();
  int WaitMillis() const;
  void EndSleeps();
  void Receive(Connection& connection);
  void Flush(Connection& connection);
  void Feed(Connection& connection);
  Result<void> OnFrame(Connection& connection, const protocol::Frame& frame);
  Result<void> OnRequest(Connection& connection, const protocol::Frame& frame);
  Result<void> OnProcessRequest(Connection& connection, const protocol::Frame& frame);
  Result<void> OnFileRequest(Connection& connection, const protocol::Frame& frame);
  Result<void> OnStart(Connection& connection, const protocol::StartRequest& request);
  Result<void> OnStdin(Connection& connection, const protocol::Frame& frame);
  void Play(Process& process);
  void Print(Process& process, protocol::FrameType stream, std::string_view bytes);
  static void Exit(Process& process, int exit_code, int signal);
  static void Signal(Process& process, int signal);
  static protocol::LeftoversKilled Kill(Process& process);
  Result<Process*> Find(uint64_t id);
  protocol::ProcessList Listing() const;

  const std::shared_ptr<FakeFiles> files_;
  const Wakeup gone_;
  const Wakeup wake_;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> silent_ = false;

  std::mutex mutex_;
  std::vector<Fd> new_;  // connections that the thread has not yet seen

  // The thread's own.
  std::list<Connection> connections_;
  std::list<Process> processes_;
  std::thread thread_;
};

}  // namespace cay::engine::fake
