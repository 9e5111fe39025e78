// What the guest decodes: frames from a host, and every request in them. The first byte says how
// the rest is cut into reads.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "protocol/file_messages.h"
#include "protocol/frame.h"
#include "protocol/message_codec.h"
#include "protocol/process_messages.h"

namespace cay::protocol {
namespace {

template <class T>
void CheckMessage(std::string_view payload) {
  const auto message = Decode<T>(payload);
  if (!message) return;
  if (!CheckLimits(*message)) std::abort();
  const std::string again = Encode(*message);
  const auto back = Decode<T>(again);
  if (!back || Encode(*back) != again) std::abort();
}

void CheckRequest(const Frame& frame) {
  CheckMessage<StartRequest>(frame.payload);
  CheckMessage<AttachRequest>(frame.payload);
  CheckMessage<SignalRequest>(frame.payload);
  CheckMessage<ResizeRequest>(frame.payload);
  CheckMessage<ProcessRequest>(frame.payload);
  CheckMessage<ReadFileRequest>(frame.payload);
  CheckMessage<WriteFileRequest>(frame.payload);
  CheckMessage<ListRequest>(frame.payload);
  CheckMessage<StatRequest>(frame.payload);
  CheckMessage<MakeDirectoryRequest>(frame.payload);
  CheckMessage<MoveRequest>(frame.payload);
  CheckMessage<RemoveRequest>(frame.payload);
  CheckMessage<ChangeModeRequest>(frame.payload);
  CheckMessage<WatchRequest>(frame.payload);
  CheckMessage<ArchiveOutRequest>(frame.payload);
  CheckMessage<ArchiveInRequest>(frame.payload);
  CheckMessage<ConnectPortRequest>(frame.payload);
}

// The frames in `bytes`, as one text; "!" at the first that is refused.
std::string Parse(std::string_view bytes, size_t step, bool check) {
  FrameParser parser(Sender::kHost, 64);
  std::string seen;
  while (true) {
    while (true) {
      const auto frame = parser.Next();
      if (!frame) return seen + "!";
      if (!*frame) break;
      if ((*frame)->payload.size() > *MaxPayload(Sender::kHost, (*frame)->type)) std::abort();
      if (check) CheckRequest(**frame);
      seen += std::to_string(static_cast<int>((*frame)->type)) + ":";
      seen += (*frame)->payload;
    }
    if (bytes.empty()) return seen;
    const auto space = parser.Space();
    if (space.empty() || space.size() > 2 * (kMaxStartBytes + 64)) std::abort();
    const size_t part = std::min({space.size(), bytes.size(), step});
    std::memcpy(space.data(), bytes.data(), part);
    parser.Commit(part);
    bytes.remove_prefix(part);
  }
}

}  // namespace
}  // namespace cay::protocol

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t step = data[0] + size_t{1};
  // However the bytes are cut, the frames are the same.
  if (cay::protocol::Parse(bytes, step, true) != cay::protocol::Parse(bytes, SIZE_MAX, false))
    std::abort();
  return 0;
}
