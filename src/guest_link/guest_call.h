// GuestCall: one operation's connection, for calls that wait: sends frames, receives frames, each
// wait bounded by the patience. guest_channel.cc is its user.
#pragma once

#include <optional>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace cay {

class GuestCall {
 public:
  static constexpr size_t kReadBytes = 128 * 1024;

  // Sends the request. The connection becomes non-blocking. `read_bytes`: how much is read at once.
  static Result<GuestCall> Open(Fd connection, protocol::FrameType type, std::string_view payload,
                                Millis patience, size_t read_bytes = kReadBytes);

  // All of it. A guest that has already answered with an error gets no more: that error is
  // returned.
  Result<void> Send(protocol::FrameType type, std::string_view payload);

  // The next frame; kError is returned as the error it carries. The payload is valid until the next
  // call.
  Result<protocol::Frame> Receive();
  // The same, when one has arrived.
  Result<std::optional<protocol::Frame>> TryReceive();
  // The next frame, which must be of this type.
  Result<std::string_view> Expect(protocol::FrameType type);

  template <class T>
  Result<T> Expect(protocol::FrameType type) {
    return protocol::Decode<T>(TRY(Expect(type)));
  }

  const Fd& connection() const { return connection_; }
  Fd TakeConnection() && { return std::move(connection_); }

 private:
  GuestCall(Fd connection, Millis patience, size_t read_bytes)
      : connection_(std::move(connection)),
        parser_(protocol::Sender::kGuest, read_bytes),
        patience_(patience) {}
  Result<void> Wait(short events);
  Result<std::optional<protocol::Frame>> Parsed();

  Fd connection_;
  protocol::FrameParser parser_;
  Millis patience_;
};

// What every frame of an unexpected type is.
Error UnexpectedFrame(protocol::FrameType type);

}  // namespace cay
