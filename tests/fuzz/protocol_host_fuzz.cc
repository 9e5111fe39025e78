// A hostile guest: whatever bytes it sends, however they are cut, the host's side of a process ends
// in an event, a wait or an error, and what it takes for output is in order.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "guest_link/process_stream.h"
#include "protocol/file_messages.h"
#include "protocol/message_codec.h"

#include <sys/socket.h>

namespace {

// What was decoded is within its limits, and says the same when it is sent on.
template <class T>
void CheckMessage(std::string_view payload) {
  const auto message = cay::protocol::Decode<T>(payload);
  if (!message) return;
  if (!cay::protocol::CheckLimits(*message)) std::abort();
  const std::string again = cay::protocol::Encode(*message);
  const auto back = cay::protocol::Decode<T>(again);
  if (!back || cay::protocol::Encode(*back) != again) std::abort();
}

void CheckMessages(std::string_view payload) {
  CheckMessage<cay::protocol::Info>(payload);
  CheckMessage<cay::protocol::ErrorMessage>(payload);
  CheckMessage<cay::protocol::Exited>(payload);
  CheckMessage<cay::protocol::ProcessList>(payload);
  CheckMessage<cay::protocol::Entries>(payload);
  CheckMessage<cay::protocol::WatchEvents>(payload);
  CheckMessage<cay::protocol::ArchiveDone>(payload);
}

void CheckStream(std::string_view bytes) {
  auto pair = cay::MakeSocketPair(SOCK_STREAM);
  cay::protocol::StartRequest request;
  request.argv = {"x"};
  request.stdin_open = true;
  auto stream = cay::ProcessStream::Start(std::move(pair->first), request);
  if (!stream) std::abort();
  // Sent in full before anything is read: less than a socket holds.
  if (bytes.size() > 64 * 1024) return;
  if (!cay::WriteAll(pair->second.get(), bytes)) std::abort();
  static_cast<void>(::shutdown(pair->second.get(), SHUT_WR));
  uint64_t next = 0;
  for (size_t events = 0;; ++events) {
    if (events > bytes.size() + 1) std::abort();
    const auto event = stream->Next();
    if (!event || !*event) break;
    if (const auto* output = std::get_if<cay::ProcessOutput>(&**event)) {
      if (output->seq != next) std::abort();
      next += output->bytes.size();
    } else if (const auto* gap = std::get_if<cay::protocol::Gap>(&**event)) {
      if (gap->from != next || gap->to <= gap->from) std::abort();
      next = gap->to;
    }
  }
  if (!stream->finished()) std::abort();  // the connection ended, so it must have seen an end
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckMessages(bytes);
  CheckStream(bytes);
  return 0;
}
