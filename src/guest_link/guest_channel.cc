#include "guest_link/guest_channel.h"

#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

#include "base/encoding.h"
#include "base/os/file.h"
#include "guest_link/guest_call.h"
#include "guest_link/request_limits.h"

namespace cay {
namespace {

using protocol::FrameType;

// Most are small, and there may be thousands of waits.
constexpr size_t kPendingReadBytes = 512;

// The content of a kData frame. An empty one brings nothing on: a guest that sends them for ever
// would hold the caller without being silent.
Result<std::string_view> Content(const protocol::Frame& frame) {
  if (frame.type != FrameType::kData || frame.payload.empty()) {
    return Failure(UnexpectedFrame(frame.type));
  }
  return frame.payload;
}

// Sends all of `source` as frames of `data`, then `end`.
Result<void> SendAll(GuestCall& call, const Source& source, FrameType data, FrameType end) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(protocol::kMaxDataBytes);
  while (true) {
    const size_t got = TRY(source({buffer.get(), protocol::kMaxDataBytes}));
    if (got == 0) break;
    TRY(call.Send(data, {buffer.get(), got}));
  }
  return call.Send(end, "");
}

}  // namespace

Sink FdSink(const Fd& fd) {
  return [raw = fd.get()](std::string_view bytes) { return WriteAll(raw, bytes); };
}

Source FdSource(const Fd& fd) {
  return [raw = fd.get()](std::span<char> space) -> Result<size_t> {
    while (true) {
      const ssize_t got = ::read(raw, space.data(), space.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return Failure(Error::FromErrno("reading"));
    }
  };
}

Source TextSource(std::string_view text) {
  return [text](std::span<char> space) mutable -> Result<size_t> {
    const size_t part = text.copy(space.data(), space.size());
    text.remove_prefix(part);
    return part;
  };
}

Result<std::vector<protocol::WatchEvent>> WatchStream::Next() {
  const std::optional<protocol::Frame> frame = TRY(call_->TryReceive());
  if (!frame) return std::vector<protocol::WatchEvent>{};
  if (frame->type != FrameType::kWatchEvents) return Failure(UnexpectedFrame(frame->type));
  auto events = TRY(protocol::Decode<protocol::WatchEvents>(frame->payload)).events;
  if (events.empty()) return Failure(UnexpectedFrame(frame->type));
  return events;
}

WatchStream::WatchStream(std::unique_ptr<GuestCall> call) : call_(std::move(call)) {}
WatchStream::WatchStream(WatchStream&&) noexcept = default;
WatchStream& WatchStream::operator=(WatchStream&&) noexcept = default;
WatchStream::~WatchStream() = default;
int WatchStream::fd() const { return call_->connection().get(); }

PendingFrame::PendingFrame(std::unique_ptr<GuestCall> call, FrameType type)
    : call_(std::move(call)), type_(type) {}
PendingFrame::PendingFrame(PendingFrame&&) noexcept = default;
PendingFrame& PendingFrame::operator=(PendingFrame&&) noexcept = default;
PendingFrame::~PendingFrame() = default;
int PendingFrame::fd() const { return call_->connection().get(); }

Result<std::optional<std::string_view>> PendingFrame::Next() {
  const std::optional<protocol::Frame> frame = TRY(call_->TryReceive());
  if (!frame) return std::nullopt;
  if (frame->type != type_) return Failure(UnexpectedFrame(frame->type));
  return frame->payload;
}

Result<std::optional<protocol::Exited>> WaitStream::Next() {
  auto exited = TRY(frame_.Next());
  if (exited) TRY(CheckExited(*exited));
  return exited;
}

template <class T>
Result<GuestCall> GuestChannel::Open(FrameType type, const T& request) const {
  TRY(CheckLengths(request));
  TRY(protocol::CheckLimits(request, protocol_));
  const std::string payload = protocol::Encode(request, protocol_);
  return GuestCall::Open(TRY(connector_()), type, payload, patience_);
}

Result<GuestCall> GuestChannel::Open(FrameType type) const {
  return GuestCall::Open(TRY(connector_()), type, "", patience_);
}

// Requests that are answered with kDone.
template <class T>
Result<void> GuestChannel::CallForDone(FrameType type, const T& request) const {
  GuestCall call = TRY(Open(type, request));
  TRY(call.Expect(FrameType::kDone));
  return {};
}

Result<protocol::Info> GuestChannel::Ping() const {
  GuestCall call = TRY(Open(FrameType::kPing));
  auto info = TRY(call.Expect<protocol::Info>(FrameType::kInfo));
  info.guest_version = ToUtf8Lossy(info.guest_version);
  return info;
}

Result<ProcessStream> GuestChannel::Start(const protocol::StartRequest& request) const {
  return ProcessStream::Start(TRY(connector_()), request, protocol_);
}

Result<ProcessStream> GuestChannel::Attach(uint64_t process, uint64_t from_seq) const {
  return ProcessStream::Attach(TRY(connector_()), {.process = process, .from_seq = from_seq},
                               protocol_);
}

Result<PendingFrame> GuestChannel::Begin(FrameType type, std::string_view payload,
                                         FrameType answer) const {
  return PendingFrame(std::make_unique<GuestCall>(TRY(GuestCall::Open(
                          TRY(connector_()), type, payload, patience_, kPendingReadBytes))),
                      answer);
}

Result<WaitStream> GuestChannel::Wait(uint64_t process) const {
  return WaitStream(TRY(Begin(
      FrameType::kWait, protocol::Encode(protocol::ProcessRequest{.process = process}, protocol_),
      FrameType::kExited)));
}

Result<PendingInfo> GuestChannel::BeginPing() const {
  return PendingInfo(TRY(Begin(FrameType::kPing, "", FrameType::kInfo)));
}

Result<PendingList> GuestChannel::BeginListProcesses() const {
  return PendingList(TRY(Begin(FrameType::kListProcesses, "", FrameType::kProcessList)));
}

Result<PendingKill> GuestChannel::BeginKillLeftovers(uint64_t process) const {
  return PendingKill(
      TRY(Begin(FrameType::kKillLeftovers,
                protocol::Encode(protocol::ProcessRequest{.process = process}, protocol_),
                FrameType::kLeftoversKilled)));
}

Result<PendingFrame> GuestChannel::BeginSignal(const protocol::SignalRequest& request) const {
  return Begin(FrameType::kSignal, protocol::Encode(request, protocol_), FrameType::kDone);
}

Result<std::vector<protocol::ProcessInfo>> GuestChannel::ListProcesses() const {
  GuestCall call = TRY(Open(FrameType::kListProcesses));
  return TRY(call.Expect<protocol::ProcessList>(FrameType::kProcessList)).processes;
}

Result<void> GuestChannel::Signal(const protocol::SignalRequest& request) const {
  return CallForDone(FrameType::kSignal, request);
}

Result<void> GuestChannel::Resize(const protocol::ResizeRequest& request) const {
  return CallForDone(FrameType::kResize, request);
}

Result<void> GuestChannel::WriteStdin(uint64_t process, const Source& source, bool close) const {
  GuestCall call = TRY(Open(FrameType::kOpenStdin, protocol::ProcessRequest{.process = process}));
  const auto buffer = std::make_unique_for_overwrite<char[]>(protocol::kMaxDataBytes);
  uint64_t sent = 0;
  uint64_t taken = 0;
  bool closed = false;
  const auto on_ack = [&](const protocol::Frame& frame) -> Result<void> {
    if (frame.type != FrameType::kStdinAck) return Failure(UnexpectedFrame(frame.type));
    const auto ack = TRY(protocol::Decode<protocol::StdinAck>(frame.payload));
    // Each says something new, so there cannot be more of them than bytes.
    const bool progress = ack.taken > taken || ack.closed;
    if (closed || !progress || ack.taken < taken || ack.taken > sent) {
      return Failure(UnexpectedFrame(frame.type));
    }
    taken = ack.taken;
    closed = ack.closed;
    return {};
  };
  while (true) {
    const size_t got = TRY(source({buffer.get(), protocol::kMaxDataBytes}));
    if (got == 0) break;
    while (sent - taken + got > protocol::kStdinWindowBytes) TRY(on_ack(TRY(call.Receive())));
    sent += got;
    TRY(call.Send(FrameType::kStdinData, {buffer.get(), got}));
  }
  TRY(call.Send(close ? FrameType::kStdinEnd : FrameType::kStdinFlush, ""));
  while (true) {
    const protocol::Frame frame = TRY(call.Receive());
    if (frame.type == FrameType::kDone) return {};
    TRY(on_ack(frame));
  }
}

Result<protocol::LeftoversKilled> GuestChannel::KillLeftovers(uint64_t process) const {
  GuestCall call =
      TRY(Open(FrameType::kKillLeftovers, protocol::ProcessRequest{.process = process}));
  return call.Expect<protocol::LeftoversKilled>(FrameType::kLeftoversKilled);
}

Result<protocol::FileInfo> GuestChannel::ReadFile(
    const protocol::ReadFileRequest& request, const Sink& sink,
    const std::function<Result<void>(const protocol::FileInfo&)>& opened) const {
  GuestCall call = TRY(Open(FrameType::kReadFile, request));
  auto info = TRY(call.Expect<protocol::FileInfo>(FrameType::kFileInfo));
  if (opened) TRY(opened(info));
  for (uint64_t left = request.length;;) {
    const protocol::Frame frame = TRY(call.Receive());
    if (frame.type == FrameType::kDataEnd) return info;
    const std::string_view bytes = TRY(Content(frame));
    if (bytes.size() > left) return Failure(UnexpectedFrame(frame.type));
    left -= bytes.size();
    TRY(sink(bytes));
  }
}

Result<protocol::FileInfo> GuestChannel::WriteFile(const protocol::WriteFileRequest& request,
                                                   const Source& source) const {
  GuestCall call = TRY(Open(FrameType::kWriteFile, request));
  TRY(SendAll(call, source, FrameType::kData, FrameType::kDataEnd));
  return call.Expect<protocol::FileInfo>(FrameType::kFileInfo);
}

Result<void> GuestChannel::List(
    const protocol::ListRequest& request,
    const std::function<Result<void>(const protocol::FileInfo&)>& entry) const {
  GuestCall call = TRY(Open(FrameType::kList, request));
  for (uint64_t left = request.max_entries;;) {
    const protocol::Frame frame = TRY(call.Receive());
    if (frame.type == FrameType::kDone) return {};
    if (frame.type != FrameType::kEntries) return Failure(UnexpectedFrame(frame.type));
    const auto part = TRY(protocol::Decode<protocol::Entries>(frame.payload));
    if (part.entries.empty() || part.entries.size() > left) {
      return Failure(UnexpectedFrame(frame.type));
    }
    left -= part.entries.size();
    for (const protocol::FileInfo& info : part.entries) TRY(entry(info));
  }
}

Result<protocol::FileInfo> GuestChannel::Stat(const protocol::StatRequest& request) const {
  GuestCall call = TRY(Open(FrameType::kStat, request));
  return call.Expect<protocol::FileInfo>(FrameType::kFileInfo);
}

Result<void> GuestChannel::MakeDirectory(const protocol::MakeDirectoryRequest& request) const {
  return CallForDone(FrameType::kMakeDirectory, request);
}

Result<void> GuestChannel::Move(const protocol::MoveRequest& request) const {
  return CallForDone(FrameType::kMove, request);
}

Result<void> GuestChannel::Remove(const protocol::RemoveRequest& request) const {
  return CallForDone(FrameType::kRemove, request);
}

Result<void> GuestChannel::ChangeMode(const protocol::ChangeModeRequest& request) const {
  return CallForDone(FrameType::kChangeMode, request);
}

Result<WatchStream> GuestChannel::Watch(const protocol::WatchRequest& request) const {
  auto call = std::make_unique<GuestCall>(TRY(Open(FrameType::kWatch, request)));
  TRY(call->Expect(FrameType::kReady));
  return WatchStream(std::move(call));
}

Result<protocol::ArchiveDone> GuestChannel::ArchiveOut(const protocol::ArchiveOutRequest& request,
                                                       const Sink& sink) const {
  GuestCall call = TRY(Open(FrameType::kArchiveOut, request));
  while (true) {
    const protocol::Frame frame = TRY(call.Receive());
    if (frame.type == FrameType::kArchiveDone) {
      return protocol::Decode<protocol::ArchiveDone>(frame.payload);
    }
    TRY(sink(TRY(Content(frame))));
  }
}

Result<protocol::ArchiveDone> GuestChannel::ArchiveIn(const protocol::ArchiveInRequest& request,
                                                      const Source& source) const {
  GuestCall call = TRY(Open(FrameType::kArchiveIn, request));
  TRY(SendAll(call, source, FrameType::kData, FrameType::kDataEnd));
  return call.Expect<protocol::ArchiveDone>(FrameType::kArchiveDone);
}

namespace {

Result<GuestCall> AskForPort(Fd connection, uint16_t port, Millis patience, uint32_t protocol) {
  const std::string request =
      protocol::Encode(protocol::ConnectPortRequest{.port = port}, protocol);
  return GuestCall::Open(std::move(connection), FrameType::kConnectPort, request, patience,
                         // Not a byte of what follows kConnected may be read here.
                         /*read_bytes=*/protocol::kFrameHeaderBytes);
}

}  // namespace

Result<Fd> GuestChannel::ConnectPort(uint16_t port) const {
  GuestCall call = TRY(AskForPort(TRY(connector_()), port, patience_, protocol_));
  TRY(call.Expect(FrameType::kConnected));
  Fd connection = std::move(call).TakeConnection();
  TRY(SetNonBlocking(connection, false));
  return connection;
}

Result<PendingPort> GuestChannel::BeginConnectPort(uint16_t port) const {
  return PendingPort(
      std::make_unique<GuestCall>(TRY(AskForPort(TRY(connector_()), port, patience_, protocol_))));
}

PendingPort::PendingPort(std::unique_ptr<GuestCall> call) : call_(std::move(call)) {}
PendingPort::PendingPort(PendingPort&&) noexcept = default;
PendingPort& PendingPort::operator=(PendingPort&&) noexcept = default;
PendingPort::~PendingPort() = default;
int PendingPort::fd() const { return call_->connection().get(); }

Result<std::optional<Fd>> PendingPort::Next() {
  const auto frame = TRY(call_->TryReceive());
  if (!frame) return std::nullopt;
  if (frame->type != FrameType::kConnected) return Failure(UnexpectedFrame(frame->type));
  return std::move(*call_).TakeConnection();
}

}  // namespace cay
