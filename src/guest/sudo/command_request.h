// CommandRequest: one process inside that wants a command started as another user, with its own
// descriptors as stdio: what `sudo` and `su` send (guest/sudo/client.h).
//
// Over the connection: the three descriptors (SCM_RIGHTS) with the first bytes of one kStart frame;
// then kSignal frames while it runs. Back: kStarted and kExited, or kError. A connection that ends
// first hangs the command up (SIGHUP). Of StartRequest only argv, env, cwd, user and terminal are
// used, and a request with another field set is refused; `terminal` says that the first of the
// descriptors that is a terminal becomes that of the command's session.
//
// The kernel says who asks (SO_PEERCRED), and its pid, whose limits and mark the command gets. What
// is passed is attacked with: only descriptors are taken whose last close cannot make the guest
// wait.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/privileges.h"
#include "guest/processes/process_table.h"
#include "guest/processes/side_command.h"
#include "protocol/frame.h"
#include "protocol/process_messages.h"

namespace cay::guest {

inline constexpr auto kRequestPatience = std::chrono::seconds(10);

class CommandRequest final : public EventLoop::Handler,
                             public EventLoop::Timer,
                             public SideCommand,
                             public std::enable_shared_from_this<CommandRequest> {
 public:
  struct Surroundings {
    EventLoop& loop;
    ProcessTable& processes;
    const Fd& proc;
    Privileges privileges;
  };

  // `on_closed` is called once, when the connection has ended; the command may run on.
  CommandRequest(Surroundings surroundings, Fd socket,
                 std::function<void(CommandRequest&)> on_closed);
  ~CommandRequest() override;

  Result<void> Begin();

  SpawnJob& job() override { return job_; }
  void OnSpawned() override;
  void OnReaped(int wait_status) override;

 private:
  void OnReady(uint32_t events) override;
  void OnTime() override;
  Result<void> Read();
  Result<void> Take(const protocol::Frame& frame);
  Result<void> Start(protocol::StartRequest request);
  Result<void> TakeDescriptors();
  Result<void> Signal(const protocol::SignalRequest& request) const;
  bool runs() const { return spawned_ && !reaped_; }
  void Send(protocol::FrameType type, std::string_view payload) const;
  void Fail(const Error& error);
  void Close();

  Surroundings in_;
  Fd socket_;
  std::function<void(CommandRequest&)> on_closed_;
  protocol::FrameParser parser_{protocol::Sender::kHost, 16 * 1024};
  std::vector<Fd> descriptors_;
  protocol::StartRequest request_;  // the job's strings are in it
  SpawnJob job_;
  bool asked_ = false;
  bool spawned_ = false;
  bool reaped_ = false;
  bool closed_ = false;
};

}  // namespace cay::guest
