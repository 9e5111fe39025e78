#include "sandbox/builds/build_log.h"

#include <algorithm>

#include "base/encoding.h"
#include "json/json_writer.h"

namespace cay::sandbox {
namespace {

using build::BuildEvent;
using Kind = BuildEvent::Kind;

// Of one event, beside its text.
constexpr Bytes kOverhead = sizeof(LoggedEvent) + 32;

// What is longer is said to be.
std::string Shown(const std::string& text) {
  if (text.size() <= BuildLog::kMaxText) return ToUtf8Lossy(text);
  const std::string_view head = std::string_view(text).substr(0, BuildLog::kMaxText);
  return ToUtf8Lossy(head.substr(0, head.size() - IncompleteUtf8Tail(head))) + "…";
}

std::string JsonOf(const BuildEvent& event) {
  JsonWriter json;
  json.BeginObject();
  if (event.kind != Kind::kWarning && event.kind != Kind::kWriting) {
    json.Member("step", event.step.id).Member("stage", Shown(event.step.stage));
    json.Member("number", event.step.number).Member("of", event.step.of);
    json.Member("instruction", Shown(event.step.text));
  }
  if (event.kind != Kind::kWriting) json.Member("line", event.step.line);
  if (!event.text.empty()) json.Member("text", Shown(event.text));
  if (event.kind == Kind::kEnded) {
    json.Member("duration_ms", event.took.count()).Member("failed", event.failed);
  }
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace

void BuildLog::Add(const BuildEvent& event) {
  if (event.kind == Kind::kOutput) return AddOutput(event);
  if (event.kind == Kind::kEnded) FinishStep(event.step.id);
  Append(event.kind, JsonOf(event));
}

void BuildLog::AddOutput(const BuildEvent& event) {
  const Stream stream(event.step.id, event.stream);
  std::string& begun = begun_[stream];
  std::string bytes = std::move(begun) + std::string(event.bytes);
  begun.clear();
  std::string_view rest = bytes;
  const size_t tail = IncompleteUtf8Tail(rest);
  begun = rest.substr(rest.size() - tail);
  rest.remove_suffix(tail);
  while (!rest.empty()) {
    std::string_view piece = rest.substr(0, kMaxOutput);
    // Bytes that are no text at all are cut anywhere.
    if (piece.size() < rest.size()) piece.remove_suffix(IncompleteUtf8Tail(piece));
    AddText(stream, piece);
    rest.remove_prefix(piece.size());
  }
}

void BuildLog::AddText(const Stream& stream, std::string_view text) {
  JsonWriter json;
  json.BeginObject().Member("step", stream.first);
  json.Member("stream", stream.second == OutputStream::kStderr ? "stderr" : "stdout");
  json.Member("text", ToUtf8Lossy(text)).EndObject();
  Append(Kind::kOutput, std::move(json).Take());
}

// What was begun and never finished.
void BuildLog::FinishStep(size_t step) {
  for (const OutputStream stream : {OutputStream::kStdout, OutputStream::kStderr}) {
    const auto found = begun_.find({step, stream});
    if (found == begun_.end()) continue;
    if (!found->second.empty()) AddText(found->first, found->second);
    begun_.erase(found);
  }
}

void BuildLog::Append(Kind kind, std::string json) {
  bytes_ += json.size() + kOverhead;
  events_.push_back(
      {.number = next_++, .kind = build::BuildEventName(kind), .json = std::move(json)});
  while (bytes_ > max_bytes_ && events_.size() > 1) {
    bytes_ -= events_.front().json.size() + kOverhead;
    events_.pop_front();
  }
}

LoggedEvents BuildLog::After(uint64_t number, Bytes most) const {
  LoggedEvents page;
  const uint64_t first = next_ - events_.size();  // that is here
  // Who has seen more than there is begins with what comes.
  if (number >= next_ - 1) return page;
  if (number + 1 < first) page.dropped = first - number - 1;
  const uint64_t from = std::max(number + 1, first);
  Bytes bytes = 0;
  for (auto i = static_cast<size_t>(from - first); i < events_.size(); ++i) {
    bytes += events_[i].json.size() + kOverhead;
    if (bytes > most && !page.events.empty()) break;
    page.events.push_back(events_[i]);
  }
  return page;
}

}  // namespace cay::sandbox
