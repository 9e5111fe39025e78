// GuestChannel: what the host asks of a sandbox's guest. The only code that speaks the protocol on
// the host's side.
//
//   GuestChannel guest([&] { return engine->Connect(id); });
//   ProcessStream process = TRY(guest.Start(request));          // process_stream.h: for a poll loop
//   TRY(guest.ReadFile({.path = "/tmp/x"}, FdSink(out)));       // these wait, and stream
//   TRY(guest.ArchiveIn({.path = "/workspace"}, FdSource(tar)));
//
// Each call opens a connection of its own, so calls from several threads do not meet. The guest is
// hostile: whatever it sends that it must not is kProtocol; nothing is held in memory that it can
// make large (a listing of processes is bounded, files and listings go through callbacks). A guest
// that stays silent for `patience` is kTimeout, one that is gone kUnavailable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "guest_link/process_stream.h"
#include "protocol/file_messages.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

namespace cay {

// Takes all of `bytes`; an error ends the operation and is its result.
using Sink = std::function<Result<void>(std::string_view bytes)>;
// Fills a part of `space`, and says how much; 0 is the end.
using Source = std::function<Result<size_t>(std::span<char> space)>;

Sink FdSink(const Fd& fd);                 // fd outlives it; blocking writes
Source FdSource(const Fd& fd);             // fd outlives it; blocking reads
Source TextSource(std::string_view text);  // text outlives it

class GuestCall;

// A watch on a directory: fd() polls readable when there may be events.
class WatchStream {
 public:
  explicit WatchStream(std::unique_ptr<GuestCall> call);
  WatchStream(WatchStream&&) noexcept;
  WatchStream& operator=(WatchStream&&) noexcept;
  ~WatchStream();
  int fd() const;
  // Events that have arrived, at most one frame of them; none when it has to wait for fd().
  Result<std::vector<protocol::WatchEvent>> Next();

 private:
  std::unique_ptr<GuestCall> call_;
};

// An answer that is on its way, for a poll loop: fd() polls readable when there may be news.
class PendingFrame {
 public:
  PendingFrame(std::unique_ptr<GuestCall> call, protocol::FrameType type);
  PendingFrame(PendingFrame&&) noexcept;
  PendingFrame& operator=(PendingFrame&&) noexcept;
  ~PendingFrame();
  int fd() const;
  // Its payload, valid until the next call; nothing while it is on its way. To be asked no more
  // after an answer or an error.
  Result<std::optional<std::string_view>> Next();

 private:
  std::unique_ptr<GuestCall> call_;
  protocol::FrameType type_;
};

template <class T>
class PendingReply {
 public:
  explicit PendingReply(PendingFrame frame) : frame_(std::move(frame)) {}
  int fd() const { return frame_.fd(); }
  Result<std::optional<T>> Next() {
    const std::optional<std::string_view> payload = TRY(frame_.Next());
    if (!payload) return std::nullopt;
    return TRY(protocol::Decode<T>(*payload));
  }

 private:
  PendingFrame frame_;
};
using PendingInfo = PendingReply<protocol::Info>;
using PendingList = PendingReply<protocol::ProcessList>;
using PendingKill = PendingReply<protocol::LeftoversKilled>;

// A wait for the end of a process. Costs the process nothing, however much it writes. kNotFound for
// one that the guest does not know, kUnavailable when the guest is gone.
class WaitStream {
 public:
  explicit WaitStream(PendingFrame frame) : frame_(std::move(frame)) {}
  int fd() const { return frame_.fd(); }
  // Its end; nothing while it runs.
  Result<std::optional<protocol::Exited>> Next();

 private:
  PendingReply<protocol::Exited> frame_;
};

// A connection to a port inside that is on its way, for a poll loop.
class PendingPort {
 public:
  explicit PendingPort(std::unique_ptr<GuestCall> call);
  PendingPort(PendingPort&&) noexcept;
  PendingPort& operator=(PendingPort&&) noexcept;
  ~PendingPort();
  int fd() const;
  // From then on a plain stream socket, non-blocking; nothing while it is on its way. To be asked
  // no more after a socket or an error.
  Result<std::optional<Fd>> Next();

 private:
  std::unique_ptr<GuestCall> call_;
};

class GuestChannel {
 public:
  static constexpr Millis kPatience{30'000};

  // Makes a new connection to the guest each time: a blocking stream socket.
  using Connector = std::function<Result<Fd>()>;
  // `protocol`: the guest's version of the protocol (protocol::kProtocolVersion of the program that
  // started it). The guest is asked for nothing that this version does not have.
  explicit GuestChannel(Connector connector, Millis patience = kPatience,
                        uint32_t protocol = protocol::kProtocolVersion)
      : connector_(std::move(connector)), patience_(patience), protocol_(protocol) {}

  uint32_t protocol() const { return protocol_; }

  Result<protocol::Info> Ping() const;

  // Processes. `process` is Started::process.
  Result<ProcessStream> Start(const protocol::StartRequest& request) const;
  Result<ProcessStream> Attach(uint64_t process, uint64_t from_seq) const;
  // These only ask; the answer comes out of what is returned.
  Result<WaitStream> Wait(uint64_t process) const;
  Result<PendingInfo> BeginPing() const;
  Result<PendingList> BeginListProcesses() const;
  Result<PendingKill> BeginKillLeftovers(uint64_t process) const;
  Result<PendingFrame> BeginSignal(const protocol::SignalRequest& request) const;
  Result<std::vector<protocol::ProcessInfo>> ListProcesses() const;
  Result<void> Signal(const protocol::SignalRequest& request) const;
  Result<void> Resize(const protocol::ResizeRequest& request) const;
  // Writes all of it, waiting for the process to take it; then end of file when `close`.
  Result<void> WriteStdin(uint64_t process, const Source& source, bool close) const;
  Result<protocol::LeftoversKilled> KillLeftovers(uint64_t process) const;

  // Files. kNotFound, kPermissionDenied, kAlreadyExists … as the guest says.
  // `opened`, where it is given, hears before the first byte what the file is that is open now.
  Result<protocol::FileInfo> ReadFile(
      const protocol::ReadFileRequest& request, const Sink& sink,
      const std::function<Result<void>(const protocol::FileInfo&)>& opened = {}) const;
  Result<protocol::FileInfo> WriteFile(const protocol::WriteFileRequest& request,
                                       const Source& source) const;
  Result<void> List(const protocol::ListRequest& request,
                    const std::function<Result<void>(const protocol::FileInfo&)>& entry) const;
  Result<protocol::FileInfo> Stat(const protocol::StatRequest& request) const;
  Result<void> MakeDirectory(const protocol::MakeDirectoryRequest& request) const;
  Result<void> Move(const protocol::MoveRequest& request) const;
  Result<void> Remove(const protocol::RemoveRequest& request) const;
  Result<void> ChangeMode(const protocol::ChangeModeRequest& request) const;
  Result<WatchStream> Watch(const protocol::WatchRequest& request) const;
  Result<protocol::ArchiveDone> ArchiveOut(const protocol::ArchiveOutRequest& request,
                                           const Sink& sink) const;
  Result<protocol::ArchiveDone> ArchiveIn(const protocol::ArchiveInRequest& request,
                                          const Source& source) const;

  // A connection to a port inside: from here on a plain stream socket, blocking.
  Result<Fd> ConnectPort(uint16_t port) const;
  // Only asks.
  Result<PendingPort> BeginConnectPort(uint16_t port) const;

 private:
  template <class T>
  Result<GuestCall> Open(protocol::FrameType type, const T& request) const;
  Result<GuestCall> Open(protocol::FrameType type) const;
  template <class T>
  Result<void> CallForDone(protocol::FrameType type, const T& request) const;
  Result<PendingFrame> Begin(protocol::FrameType type, std::string_view payload,
                             protocol::FrameType answer) const;

  Connector connector_;
  Millis patience_;
  uint32_t protocol_;
};

}  // namespace cay
