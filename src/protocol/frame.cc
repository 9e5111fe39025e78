#include "protocol/frame.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace cay::protocol {
namespace {

uint32_t LoadU32(const char* from) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

std::optional<size_t> MaxFromHost(FrameType type) {
  switch (type) {
    case FrameType::kStart:
      return kMaxStartBytes;
    case FrameType::kPing:
    case FrameType::kAttach:
    case FrameType::kListProcesses:
    case FrameType::kSignal:
    case FrameType::kResize:
    case FrameType::kOpenStdin:
    case FrameType::kKillLeftovers:
    case FrameType::kWait:
    case FrameType::kReadFile:
    case FrameType::kWriteFile:
    case FrameType::kList:
    case FrameType::kStat:
    case FrameType::kMakeDirectory:
    case FrameType::kMove:
    case FrameType::kRemove:
    case FrameType::kChangeMode:
    case FrameType::kWatch:
    case FrameType::kArchiveOut:
    case FrameType::kArchiveIn:
    case FrameType::kConnectPort:
      return kMaxControlBytes;
    case FrameType::kData:
    case FrameType::kStdinData:
      return kMaxDataBytes;
    case FrameType::kDataEnd:
    case FrameType::kStdinEnd:
    case FrameType::kStdinFlush:
      return 0;
    default:
      return std::nullopt;
  }
}

std::optional<size_t> MaxFromGuest(FrameType type) {
  switch (type) {
    case FrameType::kStdout:
    case FrameType::kStderr:
      return kOutputHeaderBytes + kMaxDataBytes;
    case FrameType::kData:
      return kMaxDataBytes;
    case FrameType::kDataEnd:
    case FrameType::kReady:
    case FrameType::kConnected:
    case FrameType::kDone:
      return 0;
    case FrameType::kInfo:
    case FrameType::kStarted:
    case FrameType::kGap:
    case FrameType::kStdinAck:
    case FrameType::kExited:
    case FrameType::kLeftoversKilled:
    case FrameType::kFileInfo:
    case FrameType::kArchiveDone:
    case FrameType::kError:
      return kMaxControlBytes;
    case FrameType::kProcessList:
    case FrameType::kEntries:
    case FrameType::kWatchEvents:
      return kMaxListingBytes;
    default:
      return std::nullopt;
  }
}

Failure Violation(std::string message) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, std::move(message)));
}

}  // namespace

std::optional<size_t> MaxPayload(Sender sender, FrameType type) {
  return sender == Sender::kHost ? MaxFromHost(type) : MaxFromGuest(type);
}

void StoreU64(char* to, uint64_t value) {
  for (int i = 0; i < 8; ++i, value >>= 8) to[i] = static_cast<char>(value & 0xff);
}

uint64_t LoadU64(const char* from) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

FrameHeader MakeFrameHeader(FrameType type, size_t payload_bytes) {
  assert(payload_bytes <= std::max(MaxPayload(Sender::kHost, type).value_or(0),
                                   MaxPayload(Sender::kGuest, type).value_or(0)));
  FrameHeader header{};
  size_t rest = payload_bytes;
  for (size_t i = 0; i < 4; ++i, rest >>= 8) header[i] = static_cast<char>(rest & 0xff);
  header[4] = static_cast<char>(type);
  return header;
}

std::string MakeFrame(FrameType type, std::string_view payload) {
  const FrameHeader header = MakeFrameHeader(type, payload.size());
  std::string frame;
  frame.reserve(header.size() + payload.size());
  frame.append(header.data(), header.size());
  frame.append(payload);
  return frame;
}

FrameParser::FrameParser(Sender sender, size_t read_bytes)
    : sender_(sender), read_bytes_(std::max(read_bytes, kFrameHeaderBytes)) {}

void FrameParser::Reserve(size_t bytes) {
  if (bytes <= capacity_) return;
  // Not std::vector: it would write zeros over memory that may never be needed.
  auto larger = std::make_unique_for_overwrite<char[]>(bytes);
  if (end_ > 0) std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
  capacity_ = bytes;
}

std::span<char> FrameParser::Space() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // What is buffered is less than one frame here, so this at most doubles a frame under way.
  if (capacity_ - end_ < std::min(read_bytes_, kFrameHeaderBytes + end_)) {
    Reserve(std::max(2 * capacity_, read_bytes_));
  } else if (capacity_ == end_) {
    Reserve(capacity_ + read_bytes_);
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void FrameParser::Widen(size_t read_bytes) {
  read_bytes_ = std::max(read_bytes_, read_bytes);
  Reserve(read_bytes_);
}

void FrameParser::Commit(size_t bytes) {
  assert(bytes <= capacity_ - end_);
  end_ += bytes;
}

Result<std::optional<Frame>> FrameParser::Next() {
  const std::string_view pending = Pending();
  if (pending.size() < kFrameHeaderBytes) return std::nullopt;
  const size_t length = LoadU32(pending.data());
  const auto type = static_cast<FrameType>(pending[4]);
  const std::optional<size_t> max = MaxPayload(sender_, type);
  if (!max) {
    return Violation("frame type " + std::to_string(static_cast<unsigned char>(pending[4])) +
                     " may not be sent by the " + (sender_ == Sender::kHost ? "host" : "guest"));
  }
  if (length > *max) {
    return Violation("a frame of " + std::to_string(length) + " bytes is over its limit of " +
                     std::to_string(*max));
  }
  if (pending.size() - kFrameHeaderBytes < length) return std::nullopt;
  begin_ += kFrameHeaderBytes + length;
  return Frame{type, pending.substr(kFrameHeaderBytes, length)};
}

std::string_view FrameParser::Pending() const { return {buffer_.get() + begin_, end_ - begin_}; }

}  // namespace cay::protocol
