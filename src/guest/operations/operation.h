// Operation: what a connection does after its request. Made by a function of the type
// OperationOpener (server.cc has the table of them), one for each request type:
//
//   Result<std::unique_ptr<Operation>> OpenStat(Guest& guest, Connection& connection,
//                                               std::string_view payload) {
//     const auto request = TRY(protocol::Decode<protocol::StatRequest>(payload));
//     ...
//     connection.SendMessage(protocol::FrameType::kFileInfo, info);   // answered at once:
//     return nullptr;                                                 // the connection ends
//   }
//
// An operation that lasts returns itself; it ends by connection.Finish(), or by returning an error
// from any of these functions, which the host gets as kError. It is deleted when its connection
// ends, whichever side ended it: the destructor undoes what is half done. Nothing here may block.
#pragma once

#include <memory>
#include <string_view>

#include "base/loop/event_loop.h"
#include "base/result.h"
#include "protocol/frame.h"

namespace cay::guest {

class Connection;
struct Guest;

class Operation : public virtual EventLoop::Object {
 public:
  // A further frame from the host.
  virtual Result<void> OnFrame(const protocol::Frame& frame) = 0;

  // False: frames from the host stay in the socket, and the host has to wait. Call
  // connection.Update() when it changes outside of these functions.
  virtual bool WantsFrames() const { return true; }

  // True while there is something to send: then OnRoom is called, round after round of the loop, as
  // long as the connection has room. Each call sends little (about 256 KiB, or a few milliseconds
  // of work), so that others get their turn. Call connection.Update() when it changes outside.
  virtual bool WantsToSend() const { return false; }
  virtual Result<void> OnRoom() { return {}; }
};

using OperationOpener = Result<std::unique_ptr<Operation>> (*)(Guest& guest, Connection& connection,
                                                               std::string_view payload);

}  // namespace cay::guest
