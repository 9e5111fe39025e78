// Frames: how messages lie on the byte stream between host and guest.
//
//   u32 little-endian  length of the payload, without this header
//   u8                 type
//   payload            CBOR (messages.h), or raw bytes for the data types
//
// One connection is one operation: the host sends one request frame, then what that request allows
// (stdin, file content); the guest answers and ends with exactly one terminal frame.
//
//   FrameParser parser(Sender::kGuest);
//   ssize_t got = read(fd, parser.Space().data(), parser.Space().size());
//   parser.Commit(got);
//   while (auto frame = TRY(parser.Next())) Use(*frame);
//
// The other side is an attacker: a type it may not send, or a length over the type's limit, is
// kProtocol as soon as the header is there, before anything of the payload is kept. A parser holds
// at most one frame and one read, and its memory grows with what arrived, not with what was
// announced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::protocol {

enum class FrameType : uint8_t {
  // Requests: the first frame of a connection, host to guest. Reply in brackets.
  kPing = 1,            // [kInfo]
  kStart = 2,           // [kStarted, then kStdout|kStderr|kGap|kStdinAck …, kExited]
  kAttach = 3,          // [as kStart]
  kListProcesses = 4,   // [kProcessList]
  kSignal = 5,          // [kDone]; also on a kStart or kAttach connection, then unanswered
  kResize = 6,          // [kDone]; also on a kStart or kAttach connection, then unanswered
  kOpenStdin = 7,       // then kStdinData …, kStdinEnd|kStdinFlush; [kStdinAck …, kDone]
  kKillLeftovers = 8,   // [kLeftoversKilled]
  kWait = 9,            // [kExited, when the process has ended]
  kReadFile = 16,       // [kFileInfo, kData …, kDataEnd]
  kWriteFile = 17,      // then kData …, kDataEnd; [kFileInfo]
  kList = 18,           // [kEntries …, kDone]
  kStat = 19,           // [kFileInfo]
  kMakeDirectory = 20,  // [kDone]
  kMove = 21,           // [kDone]
  kRemove = 22,         // [kDone]
  kChangeMode = 23,     // [kDone]
  kWatch = 24,          // [kReady, kWatchEvents … until the host closes]
  kArchiveOut = 25,     // [kData …, kArchiveDone]
  kArchiveIn = 26,      // then kData …, kDataEnd; [kArchiveDone]
  kConnectPort = 32,    // [kConnected; from then on the connection is raw bytes both ways]

  // What follows a request.
  kData = 64,     // raw bytes, either way
  kDataEnd = 65,  // no payload: the content is complete, either way
  kStdinData = 66,
  kStdinEnd = 67,    // close it
  kStdinFlush = 68,  // of kOpenStdin: leave it open; [kDone when all is taken]

  // Replies, guest to host.
  kInfo = 128,
  kStarted = 129,
  kStdout = 130,  // u64 little-endian sequence number of the first byte, raw bytes
  kStderr = 131,
  kGap = 132,
  kStdinAck = 133,
  kExited = 134,
  kProcessList = 135,
  kLeftoversKilled = 136,
  kFileInfo = 144,
  kEntries = 145,
  kReady = 146,
  kWatchEvents = 147,
  kArchiveDone = 148,
  kConnected = 160,
  kDone = 190,   // no payload: it was done
  kError = 191,  // it was not, or no longer: the terminal frame of every operation that failed
};

enum class Sender : uint8_t { kHost, kGuest };

inline constexpr size_t kFrameHeaderBytes = 5;
inline constexpr size_t kMaxDataBytes = 64 * 1024;      // raw bytes in one data frame
inline constexpr size_t kMaxControlBytes = 16 * 1024;   // most CBOR payloads
inline constexpr size_t kMaxStartBytes = 1024 * 1024;   // kStart: arguments and environment
inline constexpr size_t kMaxListingBytes = 512 * 1024;  // kProcessList, kEntries, kWatchEvents
inline constexpr size_t kOutputHeaderBytes = 8;         // the sequence number before output

// The largest payload of `type`, or nothing when `sender` may not send it.
std::optional<size_t> MaxPayload(Sender sender, FrameType type);

struct Frame {
  FrameType type;
  std::string_view payload;
};

// The header of a frame whose payload follows.
using FrameHeader = std::array<char, kFrameHeaderBytes>;
FrameHeader MakeFrameHeader(FrameType type, size_t payload_bytes);

// A whole frame. The payload is within MaxPayload: asserted, for it is our own.
std::string MakeFrame(FrameType type, std::string_view payload);

class FrameParser {
 public:
  // `read_bytes`: how much Space() offers at least.
  explicit FrameParser(Sender sender, size_t read_bytes = kMaxDataBytes + 64);

  // Where to read into. Invalidates the payload of the last frame.
  std::span<char> Space();

  // From now on Space() offers more, for a sender that sends much. As Space() it invalidates the
  // last payload.
  void Widen(size_t read_bytes);

  // `bytes` of Space() were filled.
  void Commit(size_t bytes);

  // The next whole frame, or nothing until more arrives. Its payload is valid until Space(). After
  // an error the parser gives the same kind of error for ever.
  Result<std::optional<Frame>> Next();

  // Bytes that arrived and have not been given out as frames.
  std::string_view Pending() const;

 private:
  void Reserve(size_t bytes);

  Sender sender_;
  size_t read_bytes_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// Little-endian integers in raw payloads.
void StoreU64(char* to, uint64_t value);
uint64_t LoadU64(const char* from);

}  // namespace cay::protocol
