#include "guest_link/process_stream.h"

#include "guest_link/request_limits.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace cay {
namespace {

using protocol::FrameType;
using protocol::kStdinWindowBytes;

// Control messages that the guest has not taken yet; the window of stdin comes on top.
constexpr size_t kMaxUnsentControlBytes = 64 * 1024;

// An honest guest sends few that tell nothing new.
constexpr int kMaxEmptyAcks = 1000;

// Most commands say little: memory for a read that takes several frames of output comes with the
// output.
constexpr size_t kFirstReadBytes = 8 * 1024;
constexpr size_t kReadBytes = 256 * 1024;

Failure Violation(std::string what) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine,
                       "the sandbox's guest broke the protocol: " + std::move(what)));
}

}  // namespace

Result<void> CheckExited(const protocol::Exited& exited) {
  if (exited.exit_code < 0 || exited.exit_code > 255) return Violation("an impossible exit code");
  return {};
}

ProcessStream::ProcessStream(Fd connection, bool stdin_open, std::optional<uint64_t> from_seq)
    : connection_(std::move(connection)),
      parser_(protocol::Sender::kGuest, kFirstReadBytes),
      next_seq_(from_seq.value_or(0)),
      stdin_open_(stdin_open) {}

Result<ProcessStream> ProcessStream::Open(Fd connection, FrameType type, const std::string& payload,
                                          bool stdin_open, std::optional<uint64_t> from_seq) {
  TRY(SetNonBlocking(connection, true));
  ProcessStream stream(std::move(connection), stdin_open, from_seq);
  stream.unsent_.Append(protocol::MakeFrame(type, payload));
  TRY(stream.Flush());
  return stream;
}

Result<ProcessStream> ProcessStream::Start(Fd connection, const protocol::StartRequest& request,
                                           uint32_t version) {
  TRY(CheckLengths(request));
  TRY(protocol::CheckLimits(request, version));
  const std::string payload = protocol::Encode(request, version);
  TRY(CheckStartSize(payload.size()));
  ProcessStream stream =
      TRY(Open(std::move(connection), FrameType::kStart, payload,
               request.stdin_open || request.terminal.has_value(), std::nullopt));
  stream.version_ = version;
  return stream;
}

Result<ProcessStream> ProcessStream::Attach(Fd connection, const protocol::AttachRequest& request,
                                            uint32_t version) {
  // Whether its stdin is open the guest knows: it says so when something is written.
  ProcessStream stream = TRY(Open(std::move(connection), FrameType::kAttach,
                                  protocol::Encode(request, version), true, request.from_seq));
  stream.version_ = version;
  return stream;
}

short ProcessStream::poll_events() const {
  return static_cast<short>(POLLIN | (unsent_.empty() ? 0 : POLLOUT));
}

Result<void> ProcessStream::Flush() {
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(connection_.get(), unsent_.front().data(), unsent_.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      unsent_.Take(static_cast<size_t>(sent));
      continue;
    }
    if (errno == EAGAIN) return {};
    if (errno == EINTR) continue;
    if (errno != EPIPE && errno != ECONNRESET) {
      return Failure(Error::FromErrno("writing to the sandbox's guest"));
    }
    break;  // it has ended its side: what it said before that is still to be read
  }
  unsent_.Clear();
  return {};
}

Result<void> ProcessStream::Queue(FrameType type, std::string_view payload) {
  const protocol::FrameHeader header = protocol::MakeFrameHeader(type, payload.size());
  unsent_.Append({header.data(), header.size()});
  unsent_.Append(payload);
  return Flush();
}

Result<bool> ProcessStream::Fill() {
  if (std::exchange(much_comes_, false)) parser_.Widen(kReadBytes);
  const std::span<char> space = parser_.Space();
  while (true) {
    const ssize_t got = ::recv(connection_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (got > 0) {
      parser_.Commit(static_cast<size_t>(got));
      much_comes_ = static_cast<size_t>(got) == space.size() && space.size() < kReadBytes;
      return true;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got < 0 && errno != ECONNRESET) {
      return Failure(Error::FromErrno("reading from the sandbox's guest"));
    }
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the sandbox's guest ended the connection"));
  }
}

Result<std::optional<ProcessEvent>> ProcessStream::Next() {
  if (finished_) return std::nullopt;
  auto event = NextUnchecked();
  if (!event || (*event && std::holds_alternative<protocol::Exited>(**event))) finished_ = true;
  return event;
}

Result<std::optional<ProcessEvent>> ProcessStream::NextUnchecked() {
  TRY(Flush());
  while (true) {
    const std::optional<protocol::Frame> frame = TRY(parser_.Next());
    if (!frame) {
      if (!TRY(Fill())) return std::nullopt;
      continue;
    }
    std::optional<ProcessEvent> event = TRY(Interpret(*frame));
    if (event) return event;
  }
}

Result<std::optional<ProcessEvent>> ProcessStream::Interpret(const protocol::Frame& frame) {
  if (frame.type == FrameType::kError) {
    return Failure(
        protocol::FromMessage(TRY(protocol::Decode<protocol::ErrorMessage>(frame.payload))));
  }
  if (frame.type == FrameType::kStarted) return OnStarted(frame);
  if (!started_ && frame.type != FrameType::kStdinAck) return Violation("no start at the start");
  switch (frame.type) {
    case FrameType::kStdout:
    case FrameType::kStderr:
      return OnOutput(frame);
    case FrameType::kGap:
      return OnGap(frame);
    case FrameType::kExited:
      return OnExited(frame);
    case FrameType::kStdinAck:
      TRY(OnStdinAck(frame));
      return std::nullopt;
    default:
      return Violation("a frame of type " + std::to_string(static_cast<unsigned>(frame.type)) +
                       " among a process's output");
  }
}

Result<std::optional<ProcessEvent>> ProcessStream::OnStarted(const protocol::Frame& frame) {
  if (started_) return Violation("a second start");
  started_ = true;
  return TRY(protocol::Decode<protocol::Started>(frame.payload));
}

Result<std::optional<ProcessEvent>> ProcessStream::OnOutput(const protocol::Frame& frame) {
  if (frame.payload.size() <= protocol::kOutputHeaderBytes) return Violation("empty output");
  ProcessOutput output{
      .stream = frame.type == FrameType::kStdout ? OutputStream::kStdout : OutputStream::kStderr,
      .seq = protocol::LoadU64(frame.payload.data()),
      .bytes = frame.payload.substr(protocol::kOutputHeaderBytes)};
  if (output.seq != next_seq_ || output.bytes.size() > UINT64_MAX - next_seq_) {
    return Violation("output out of its order");
  }
  next_seq_ += output.bytes.size();
  return output;
}

Result<std::optional<ProcessEvent>> ProcessStream::OnGap(const protocol::Frame& frame) {
  const auto gap = TRY(protocol::Decode<protocol::Gap>(frame.payload));
  if (gap.from != next_seq_ || gap.to <= gap.from) return Violation("a gap out of its order");
  next_seq_ = gap.to;
  return gap;
}

Result<std::optional<ProcessEvent>> ProcessStream::OnExited(const protocol::Frame& frame) {
  auto exited = TRY(protocol::Decode<protocol::Exited>(frame.payload));
  if (exited.end_seq != next_seq_) return Violation("an end before the end of the output");
  TRY(CheckExited(exited));
  return exited;
}

Result<void> ProcessStream::OnStdinAck(const protocol::Frame& frame) {
  const auto ack = TRY(protocol::Decode<protocol::StdinAck>(frame.payload));
  if (ack.taken < stdin_taken_ || ack.taken > stdin_sent_) {
    return Violation("it took input that was not sent");
  }
  // A guest that sends nothing else would keep Next() from ever coming back.
  const bool says_nothing = ack.taken == stdin_taken_ && ack.closed == stdin_closed_;
  if (says_nothing && ++empty_acks_ > kMaxEmptyAcks) {
    return Violation("it acknowledged the same input again and again");
  }
  stdin_taken_ = ack.taken;
  stdin_closed_ = stdin_closed_ || ack.closed;
  return {};
}

size_t ProcessStream::stdin_room() const {
  if (finished_ || !stdin_open_ || stdin_closed_) return 0;
  return kStdinWindowBytes - (stdin_sent_ - stdin_taken_);
}

Result<size_t> ProcessStream::WriteStdin(std::string_view bytes) {
  const std::string_view accepted = bytes.substr(0, stdin_room());
  for (std::string_view rest = accepted; !rest.empty();) {
    const std::string_view part = rest.substr(0, protocol::kMaxDataBytes);
    stdin_sent_ += part.size();
    TRY(Queue(FrameType::kStdinData, part));
    rest.remove_prefix(part.size());
  }
  return accepted.size();
}

Result<void> ProcessStream::CloseStdin() {
  if (!stdin_open_) return {};
  stdin_open_ = false;
  if (finished_ || stdin_closed_) return {};
  return Queue(FrameType::kStdinEnd, "");
}

Result<void> ProcessStream::Signal(int signal, protocol::SignalTarget target) {
  if (signal < 0 || signal > static_cast<int>(protocol::kMaxSignal)) {
    return Failure(Error::Invalid("no such signal: " + std::to_string(signal)));
  }
  if (unsent_.size() > kStdinWindowBytes + kMaxUnsentControlBytes) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "the sandbox's guest does not take messages"));
  }
  return Queue(FrameType::kSignal,
               protocol::Encode(
                   protocol::SignalRequest{
                       .process = 0, .signal = static_cast<uint32_t>(signal), .target = target},
                   version_));
}

Result<void> ProcessStream::Resize(protocol::TerminalSize size) {
  if (unsent_.size() > kStdinWindowBytes + kMaxUnsentControlBytes) {
    return Failure(Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                         "the sandbox's guest does not take messages"));
  }
  return Queue(FrameType::kResize,
               protocol::Encode(protocol::ResizeRequest{.process = 0, .size = size}, version_));
}

}  // namespace cay
