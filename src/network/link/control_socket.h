// ControlSocket: who controls a relay: one at a time. When a controller has ended, a relay that has
// a door (relay_door.h) waits there for the next one.
//
//   ControlSocket control(loop, std::move(fd), std::move(door), users);
//   TRY(control.Begin());
//   TRY(control.Send(MessageType::kDone, {}));        // kUnavailable: there is nobody
//
// Whoever comes must be the door's owner, or root: by what the kernel says of it (SO_PEERCRED),
// which is what it was when it connected. While there is a controller nobody is let in.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ipc/packet.h"
#include "base/loop/event_loop.h"
#include "network/link/messages.h"
#include "network/link/relay_door.h"

namespace cay::network {

class ControlSocket final : private EventLoop::Handler {
 public:
  // What is called has no handler of the relay's below it on the stack.
  struct Users {
    std::function<void(ipc::Packet& packet)> received;
    std::function<void()> lost;
  };

  ControlSocket(EventLoop& loop, Fd control, std::optional<Door> door, Users users);
  ~ControlSocket() override;
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  Result<void> Begin();

  bool present() const { return control_.has_value(); }
  // Whether another controller may come.
  bool IsFindable() const { return door_ && door_->IsThere(); }

  Result<void> Send(MessageType type, std::string_view body,
                    const std::vector<const Fd*>& fds = {});
  // Requests are not received meanwhile.
  void Wait(bool on);
  // Ends it with this controller; `lost` is called from the loop.
  void HangUp();

 private:
  void OnReady(uint32_t events) override;
  void Receive();
  void Lose();
  void LetIn();
  Result<void> Admit(const Fd& socket) const;

  EventLoop& loop_;
  std::optional<Fd> control_;
  std::optional<Door> door_;
  const Users users_;
};

}  // namespace cay::network
