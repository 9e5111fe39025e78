// ProcessTable: the processes that the host started, and PID 1's duty of reaping everything.
//
// Bounds (protocol/process_messages.h): kMaxRunning at a time; of those that have ended the last
// kMaxEnded are kept, and of their output kMaxEndedBytes, the one that ended first being forgotten
// first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/privileges.h"
#include "base/result.h"
#include "guest/confinement/arbiter.h"
#include "guest/processes/process.h"
#include "guest/processes/side_command.h"
#include "guest/spawn/spawner.h"
#include "protocol/process_messages.h"

namespace cay::guest {

inline constexpr size_t kMaxSideCommands = 64;  // at a time
inline constexpr size_t kMaxEndedBytes = 16 * 1024 * 1024;

// A child that has not executed after this long is killed: hostile code of the same user can stop
// it.
inline constexpr auto kSpawnPatience = std::chrono::seconds(10);

class ProcessTable final : public EventLoop::Handler {
 public:
  // Begins to reap. `proc` is the directory /proc, and outlives the table.
  static Result<std::unique_ptr<ProcessTable>> Create(EventLoop& loop, const Fd& proc,
                                                      bool single_user, Privileges privileges);
  ~ProcessTable() override;

  // Submits it. kInvalidArgument, kLimitTooHigh and kResourceExhausted are told at once; that it
  // could not be executed is told to its followers.
  Result<std::shared_ptr<Process>> Start(protocol::StartRequest request);

  // Submits a command of a process inside. kResourceExhausted with kMaxSideCommands of them.
  Result<void> Launch(std::shared_ptr<SideCommand> command);

  // kNotFound says so when it was forgotten.
  Result<std::shared_ptr<Process>> Find(uint64_t id) const;

  // Ends what is left of one that is `passing`, and forgets it once it has ended.
  void Drop(Process& process);

  protocol::ProcessList List() const;  // without those that are `passing`
  size_t running() const;
  size_t kept() const { return processes_.size(); }

  // Called once, when the socket is there where processes inside ask for such commands: after the
  // first command was started, and not where none may.
  void WhenThereAreRequests(std::function<void(int listener)> then) {
    when_requests_ = std::move(then);
  }

 private:
  // One that was launched. It is forgotten when the spawner is done with it, and it is reaped or
  // was never there.
  struct Side {
    std::shared_ptr<SideCommand> command;
    bool spawned = false;
    std::optional<int> wait_status;
  };
  class SpawnDone final : public EventLoop::Handler {
   public:
    explicit SpawnDone(ProcessTable& table) : table_(table) {}
    void OnReady(uint32_t /*events*/) override { table_.OnSpawnDone(); }

   private:
    ProcessTable& table_;
  };
  class SpawnTimer final : public EventLoop::Timer {
   public:
    explicit SpawnTimer(ProcessTable& table) : table_(table) {}
    void OnTime() override { table_.OnSpawnSlow(); }

   private:
    ProcessTable& table_;
  };

  ProcessTable(EventLoop& loop, const Fd& proc, bool single_user, Privileges privileges, Fd signals,
               Spawner& spawner, Arbiter& arbiter);
  void OnReady(uint32_t events) override;
  void Reap();
  void ReapSide(pid_t pid, int wait_status);
  void BeginToArbitrate();
  void AwaitSpawn(SpawnJob& job);
  void OnSpawnDone();
  void OnSpawnSlow();
  void OnSideSpawned(const SpawnJob& job);
  void ForgetSides();
  void OnEnded(Process& process);
  void Forget();
  std::vector<pid_t> FindLeftovers(uint64_t id) const;
  FiltersLeft FindFilters(const OutputEnds& output) const;
  Result<void> Check(const protocol::StartRequest& request) const;

  EventLoop& loop_;
  const Fd& proc_;
  const bool single_user_;
  const Privileges privileges_;
  Fd signals_;
  Spawner& spawner_;
  Arbiter& arbiter_;
  SpawnDone spawn_done_;
  SpawnTimer spawn_timer_;
  std::map<uint64_t, std::shared_ptr<Process>> processes_;  // by id: the oldest first
  std::vector<Side> sides_;
  std::function<void(int)> when_requests_;
  std::vector<const SpawnJob*> spawning_;          // in the spawner's order
  std::deque<uint64_t> ended_;                     // in the order of their ends
  std::set<uint64_t> dropped_;                     // run on without a connection
  std::vector<std::shared_ptr<Process>> retired_;  // forgotten while they were at work
  uint64_t next_id_ = 1;
  bool childless_ = false;  // the last reaping found no child at all
};

}  // namespace cay::guest
