#include "http/transport/body_reader.h"

#include <algorithm>

namespace cay::http {
namespace {

constexpr size_t kLeastRead = size_t{4} * 1024;
constexpr size_t kMostRead = size_t{64} * 1024;

Error CutShort() {
  return {ErrorCode::kUnavailable, Fault::kCaller, "the connection ended in the middle of a body"};
}

}  // namespace

BodyReader::BodyReader(Framing framing, uint64_t length) : framing_(framing) {
  if (framing == Framing::kLength) remaining_ = length;
  ended_ = framing == Framing::kNone || (framing == Framing::kLength && length == 0);
}

bool BodyReader::done() const { return ended_; }

Result<size_t> BodyReader::Read(Stream& stream, InputBuffer& input, std::span<char> space,
                                Pace& pace) {
  for (;;) {
    const std::optional<size_t> got = TRY(TryRead(stream, input, space, pace));
    if (got) return *got;
    TRY(stream.AwaitReadable(pace));
  }
}

Result<std::optional<size_t>> BodyReader::TryRead(Stream& stream, InputBuffer& input,
                                                  std::span<char> space, Pace& pace) {
  if (ended_ || space.empty()) return 0;
  if (framing_ == Framing::kChunked) return TryReadChunked(stream, input, space, pace);
  if (framing_ == Framing::kLength && space.size() > remaining_) {
    space = space.first(static_cast<size_t>(remaining_));
  }
  std::optional<size_t> got = input.TakeInto(space);
  if (*got == 0) {
    got = TRY(stream.TryRead(space));
    if (!got) return got;
    pace.moved += *got;
  }
  if (framing_ == Framing::kUntilClose) {
    ended_ = *got == 0;
    return got;
  }
  if (*got == 0) return Failure(CutShort());
  remaining_ -= *got;
  ended_ = remaining_ == 0;
  return got;
}

Result<std::optional<size_t>> BodyReader::TryReadChunked(Stream& stream, InputBuffer& input,
                                                         std::span<char> space, Pace& pace) {
  for (;;) {
    const auto step = TRY(chunks_.Decode(input.view(), space));
    input.Consume(step.consumed);
    ended_ = chunks_.done();
    if (step.produced > 0 || ended_) return step.produced;
    const size_t room = std::clamp(space.size(), kLeastRead, kMostRead);
    const std::optional<size_t> got = TRY(stream.TryRead(input.Prepare(room)));
    if (!got) return got;
    if (*got == 0) return Failure(CutShort());
    input.Commit(*got);
    pace.moved += *got;
  }
}

}  // namespace cay::http
