#include "api/rest/processes/process_follow.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "json/json_writer.h"

namespace cay::api::rest {

using sandbox::ProcessRecord;
using sandbox::RunningProcess;

namespace {

// Gives stdin as much as it takes now.
Result<void> Feed(RunningProcess& process, std::string_view& stdin_bytes, bool& open) {
  while (!stdin_bytes.empty() && process.stdin_room() > 0) {
    const size_t taken = TRY(process.WriteStdin(stdin_bytes));
    if (taken == 0) break;
    stdin_bytes.remove_prefix(taken);
  }
  if (!stdin_bytes.empty() || !open) return {};
  open = false;
  return process.CloseStdin();
}

// True when the client hung up, or the server ends, if that is to be seen.
Result<bool> Wait(const RunningProcess& process, int client, int ending, Millis patience) {
  std::array<pollfd, 3> wait = {pollfd{process.fd(), process.poll_events(), 0},
                                pollfd{client, POLLRDHUP, 0}, pollfd{ending, POLLIN, 0}};
  const Millis most = std::min(patience, http::Exchange::kStandingInterval);
  if (::poll(wait.data(), wait.size(), static_cast<int>(most.count())) < 0 && errno != EINTR) {
    return Failure(Error::FromErrno("poll"));
  }
  return (wait[1].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0 ||
         wait[2].revents != 0;
}

}  // namespace

Result<std::optional<ProcessRecord>> Follow(RunningProcess& process, http::Exchange& client,
                                            bool feed, std::string_view stdin_bytes,
                                            ProcessSink& sink) {
  bool stdin_open = feed;
  for (;;) {
    TRY(client.Standing());
    size_t taken = 0;
    for (; taken < kEventsInARound; ++taken) {
      auto event = TRY(process.Poll());
      if (!event) break;
      if (const auto* output = std::get_if<ProcessOutput>(&*event)) {
        TRY(sink.OnOutput(*output));
      } else if (const auto* gap = std::get_if<protocol::Gap>(&*event)) {
        TRY(sink.OnGap(*gap));
      } else if (auto* ended = std::get_if<sandbox::ProcessEnded>(&*event)) {
        return std::move(ended->record);
      }
    }
    const bool more = taken == kEventsInARound;
    if (!more && process.finished()) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                           "the connection to the process ended before its result came"));
    }
    if (stdin_open) TRY(Feed(process, stdin_bytes, stdin_open));
    const Millis patience = more ? Millis(0) : TRY(sink.OnQuiet());
    const int ending = sink.EndsWithServer() ? client.ending_fd() : -1;
    if (TRY(Wait(process, client.socket(), ending, patience))) return std::nullopt;
  }
}

Result<void> SseOutput::SendPiece(OutputStream stream, uint64_t seq, std::string_view bytes) {
  JsonWriter json =
      events_.BeginEvent(stream == OutputStream::kStdout ? "stdout" : "stderr", seq + bytes.size());
  json.BeginObject().Member("seq", seq);
  if (IsUtf8(bytes)) {
    json.Member("text", bytes);
  } else {
    json.Key("base64").Base64(bytes);
  }
  json.EndObject();
  return events_.SendEvent(std::move(json));
}

Result<void> SseOutput::Flush() {
  if (tail_.empty()) return {};
  const std::string tail = std::exchange(tail_, {});
  return SendPiece(tail_stream_, tail_seq_, tail);
}

Result<void> SseOutput::OnOutput(const ProcessOutput& output) {
  uint64_t seq = output.seq;
  std::string joined;
  std::string_view bytes = output.bytes;
  if (!tail_.empty()) {
    const bool continues = output.stream == tail_stream_ && output.seq == tail_seq_ + tail_.size();
    if (continues) {
      seq = tail_seq_;
      joined = std::exchange(tail_, {}) + std::string(bytes);
      bytes = joined;
    } else {
      TRY(Flush());
    }
  }
  const size_t cut = IncompleteUtf8Tail(bytes);
  const std::string_view whole = bytes.substr(0, bytes.size() - cut);
  if (cut > 0) {
    tail_ = bytes.substr(whole.size());
    tail_seq_ = seq + whole.size();
    tail_stream_ = output.stream;
  }
  return whole.empty() ? Result<void>() : SendPiece(output.stream, seq, whole);
}

Result<void> SseOutput::OnGap(const protocol::Gap& gap) {
  TRY(Flush());
  JsonWriter json;
  json.BeginObject().Member("from", gap.from).Member("to", gap.to).EndObject();
  return events_.Send("gap", json.text(), gap.to);
}

Result<Millis> SseOutput::OnQuiet() {
  TRY(events_.PingIfQuiet());
  return events_.UntilPing();
}

}  // namespace cay::api::rest
