// CommandRequests: the guest's end of the socket that request_socket.h names: takes connections of
// processes inside, at most kMaxRequests at a time; others wait in the socket's queue.
#pragma once

#include <memory>
#include <vector>

#include "base/loop/event_loop.h"
#include "guest/sudo/command_request.h"

namespace cay::guest {

inline constexpr size_t kMaxRequests = 2 * kMaxSideCommands;

class CommandRequests final : public EventLoop::Handler, public EventLoop::Timer {
 public:
  explicit CommandRequests(CommandRequest::Surroundings surroundings) : in_(surroundings) {}

  // As soon as the table has the socket.
  void Begin();

 private:
  void Listen(int listener);
  void OnReady(uint32_t events) override;
  void OnTime() override;
  void Remove(CommandRequest& request);

  CommandRequest::Surroundings in_;
  int listener_ = -1;
  std::vector<std::shared_ptr<CommandRequest>> requests_;
};

}  // namespace cay::guest
