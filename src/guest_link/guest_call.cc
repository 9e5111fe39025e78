#include "guest_link/guest_call.h"

#include <poll.h>
#include <sys/socket.h>

#include <cassert>

namespace cay {

using protocol::Frame;
using protocol::FrameType;

Error UnexpectedFrame(FrameType type) {
  return Error(ErrorCode::kProtocol, Fault::kMachine,
               "the sandbox's guest broke the protocol: a frame of type " +
                   std::to_string(static_cast<unsigned>(type)) + " that was not asked for");
}

Error Ended() {
  return Error(ErrorCode::kUnavailable, Fault::kMachine,
               "the sandbox's guest ended the connection");
}

Result<GuestCall> GuestCall::Open(Fd connection, FrameType type, std::string_view payload,
                                  Millis patience, size_t read_bytes) {
  TRY(SetNonBlocking(connection, true));
  GuestCall call(std::move(connection), patience, read_bytes);
  TRY(call.Send(type, payload));
  return call;
}

Result<void> GuestCall::Wait(short events) {
  pollfd wait{.fd = connection_.get(), .events = events, .revents = 0};
  while (true) {
    const int ready = ::poll(&wait, 1, static_cast<int>(patience_.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return Failure(Error::FromErrno("poll"));
    return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                         "the sandbox's guest did not answer within " + FormatDuration(patience_)));
  }
}

Result<void> GuestCall::Send(FrameType type, std::string_view payload) {
  assert(payload.size() <= *protocol::MaxPayload(protocol::Sender::kHost, type));
  const std::string frame = protocol::MakeFrame(type, payload);
  for (std::string_view rest = frame; !rest.empty();) {
    const ssize_t sent =
        ::send(connection_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY(Wait(POLLOUT));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      // The guest's error, if it sent one before. One that only stops to listen is not waited for.
      const std::optional<Frame> reason = TRY(TryReceive());
      return Failure(reason ? UnexpectedFrame(reason->type) : Ended());
    } else if (errno != EINTR) {
      return Failure(Error::FromErrno("writing to the sandbox's guest"));
    }
  }
  return {};
}

Result<std::optional<Frame>> GuestCall::Parsed() {
  const std::optional<Frame> frame = TRY(parser_.Next());
  if (frame && frame->type == FrameType::kError) {
    return Failure(
        protocol::FromMessage(TRY(protocol::Decode<protocol::ErrorMessage>(frame->payload))));
  }
  return frame;
}

Result<std::optional<Frame>> GuestCall::TryReceive() {
  while (true) {
    const std::optional<Frame> frame = TRY(Parsed());
    if (frame) return frame;
    const std::span<char> space = parser_.Space();
    const ssize_t got = ::recv(connection_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (got > 0) {
      parser_.Commit(static_cast<size_t>(got));
    } else if (got == 0 || errno == ECONNRESET) {
      return Failure(Ended());
    } else if (errno == EAGAIN) {
      return std::nullopt;
    } else if (errno != EINTR) {
      return Failure(Error::FromErrno("reading from the sandbox's guest"));
    }
  }
}

Result<Frame> GuestCall::Receive() {
  while (true) {
    const std::optional<Frame> frame = TRY(TryReceive());
    if (frame) return *frame;
    TRY(Wait(POLLIN));
  }
}

Result<std::string_view> GuestCall::Expect(FrameType type) {
  const Frame frame = TRY(Receive());
  if (frame.type != type) return Failure(UnexpectedFrame(frame.type));
  return frame.payload;
}

}  // namespace cay
