// Connection: one host connection, non-blocking: frames in to its operation, frames out in order,
// with back-pressure both ways. Made by the server; operations use
//
//   connection.SendMessage(FrameType::kStarted, started);
//   connection.Send(FrameType::kData, bytes);    // at most kMaxDataBytes
//   while (connection.HasRoom()) ...             // do not queue without it
//   connection.Finish();                         // sends what is queued, then closes
//
// What is sent is written at once when nothing is queued before it, so large data is copied only
// when the socket is full.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/send_queue.h"
#include "guest/operations/operation.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace cay::guest {

class Connection final : public EventLoop::Handler {
 public:
  // Told once when the connection has ended; disposes of it.
  using OnClosed = std::function<void(Connection&)>;

  Connection(Guest& guest, Fd socket, OnClosed on_closed);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to listen. Reads what is there already.
  Result<void> Begin();

  void Send(protocol::FrameType type, std::string_view payload) { Send(type, {}, payload); }
  // One frame of `head` and `payload`, one after the other.
  void Send(protocol::FrameType type, std::string_view head, std::string_view payload);
  template <class T>
  void SendMessage(protocol::FrameType type, const T& message) {
    Send(type, protocol::Encode(message));
  }

  // Less than kRoomBytes are queued.
  bool HasRoom() const { return queued() < kRoomBytes; }

  // No more frames in or out of the operation; what is queued is sent, then the connection ends.
  void Finish();

  // Sends kError, and finishes.
  void Fail(const Error& error);

  // Looks again at what the operation wants: after it changed outside of the operation's functions.
  void Update();

  // For kConnectPort, with nothing queued (wait for that with WantsToSend, OnRoom and queued()):
  // from here on the socket is the operation's to read and write, and its events go to `handler`.
  // `early` is what the host sent before it was told. Finish() still ends the connection.
  struct Raw {
    int socket;
    std::string early;
  };
  Result<Raw> EnterRaw(EventLoop::Handler& handler);
  size_t queued() const { return queue_.size(); }

  static constexpr size_t kRoomBytes = 256 * 1024;

 private:
  void OnReady(uint32_t events) override;
  void Read();
  bool Takes() const;
  void TakeFrames();
  Result<void> TakeFrame(const protocol::Frame& frame);
  void Flush();
  void Close();

  Guest& guest_;
  Fd socket_;
  OnClosed on_closed_;
  protocol::FrameParser parser_;
  std::unique_ptr<Operation> operation_;
  SendQueue queue_;
  bool opened_ = false;     // the request was taken
  bool finishing_ = false;  // only the queue is still to be sent
  bool closed_ = false;
  bool taking_ = false;  // inside of TakeFrames
  bool raw_ = false;
};

}  // namespace cay::guest
