// ProcessStream: the host's end of the connection of one process, started or attached to. For a
// poll loop; nothing here blocks but the request that opens it.
//
//   ProcessStream stream = TRY(channel.Start(request));
//   while (!stream.finished()) {
//     poll({stream.fd(), stream.poll_events()});
//     while (auto event = TRY(stream.Next())) {
//       if (auto* output = std::get_if<ProcessOutput>(&*event)) write(1, output->bytes);
//       if (auto* exited = std::get_if<protocol::Exited>(&*event)) code = exited->exit_code;
//     }
//     if (stream.stdin_room() > 0) accepted = stream.WriteStdin(bytes);   // may be fewer
//   }
//
// The guest is hostile: anything that it may not send is kProtocol, and so is output whose sequence
// numbers do not follow one another. An operation that fails (the command is not found …) ends with
// the guest's error out of Next(); a connection that is cut is kUnavailable. After an error, and
// after Exited, the stream is finished. Memory is bounded: one frame of input, one window of stdin
// (protocol::kStdinWindowBytes) and 64 KiB of control messages.
//
// For one thread at a time. Destroying it closes the connection; the process runs on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/send_queue.h"
#include "protocol/frame.h"
#include "protocol/process_messages.h"

namespace cay {

enum class OutputStream : uint8_t { kStdout, kStderr };

struct ProcessOutput {
  OutputStream stream;
  uint64_t seq;            // of the first byte; see protocol/process_messages.h
  std::string_view bytes;  // valid until the next call of Next()
};

// What Next() yields: Started first; Exited last.
using ProcessEvent =
    std::variant<protocol::Started, ProcessOutput, protocol::Gap, protocol::Exited>;

// kProtocol for an end that no process can have.
Result<void> CheckExited(const protocol::Exited& exited);

class ProcessStream {
 public:
  // Over a connection to the guest, which becomes non-blocking. kInvalidArgument for a request over
  // the protocol's limits.
  // `version`: of the protocol, as the guest knows it.
  static Result<ProcessStream> Start(Fd connection, const protocol::StartRequest& request,
                                     uint32_t version = protocol::kProtocolVersion);
  static Result<ProcessStream> Attach(Fd connection, const protocol::AttachRequest& request,
                                      uint32_t version = protocol::kProtocolVersion);

  int fd() const { return connection_.get(); }
  // POLLIN, and POLLOUT while something waits to be sent. Next() does both.
  short poll_events() const;

  // The next event; nothing when it has to wait for fd(). After it failed, or gave Exited, it
  // always gives nothing.
  Result<std::optional<ProcessEvent>> Next();
  bool finished() const { return finished_; }

  // How much WriteStdin would accept now; it grows when Next() reads that the process took some. 0
  // after CloseStdin, and when the process takes no more (stdin_closed).
  size_t stdin_room() const;
  bool stdin_closed() const { return stdin_closed_; }
  // Sends a prefix, of at most stdin_room(); its length.
  Result<size_t> WriteStdin(std::string_view bytes);
  // End of file, after what was written. For a terminal write "\x04" instead. Once.
  Result<void> CloseStdin();

  // To this process; not answered. kResourceExhausted when the guest has not read those before it.
  Result<void> Signal(int signal, protocol::SignalTarget target = protocol::SignalTarget::kGroup);
  Result<void> Resize(protocol::TerminalSize size);

 private:
  ProcessStream(Fd connection, bool stdin_open, std::optional<uint64_t> from_seq);
  static Result<ProcessStream> Open(Fd connection, protocol::FrameType type,
                                    const std::string& payload, bool stdin_open,
                                    std::optional<uint64_t> from_seq);
  Result<void> Queue(protocol::FrameType type, std::string_view payload);
  Result<void> Flush();
  Result<bool> Fill();
  Result<std::optional<ProcessEvent>> NextUnchecked();
  Result<std::optional<ProcessEvent>> Interpret(const protocol::Frame& frame);
  Result<std::optional<ProcessEvent>> OnStarted(const protocol::Frame& frame);
  Result<std::optional<ProcessEvent>> OnOutput(const protocol::Frame& frame);
  Result<std::optional<ProcessEvent>> OnGap(const protocol::Frame& frame);
  Result<std::optional<ProcessEvent>> OnExited(const protocol::Frame& frame);
  Result<void> OnStdinAck(const protocol::Frame& frame);

  Fd connection_;
  protocol::FrameParser parser_;
  bool much_comes_ = false;  // the last read was filled
  SendQueue unsent_;
  uint64_t next_seq_ = 0;
  uint64_t stdin_sent_ = 0;
  uint64_t stdin_taken_ = 0;
  int empty_acks_ = 0;
  bool stdin_open_;
  bool stdin_closed_ = false;
  bool started_ = false;
  bool finished_ = false;
  uint32_t version_ = protocol::kProtocolVersion;
};

}  // namespace cay
