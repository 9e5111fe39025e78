#include "http/body_reader.h"

#include <algorithm>

namespace cay::http {
namespace {

constexpr size_t kReadSize = size_t{64} * 1024;

Error CutShort() {
  return {ErrorCode::kUnavailable, Fault::kCaller, "the connection ended in the middle of a body"};
}

}  // namespace

BodyReader::BodyReader(Framing framing, uint64_t length) : framing_(framing) {
  if (framing == Framing::kLength) remaining_ = length;
  if (framing == Framing::kChunked) chunks_ = std::make_unique<ChunkDecoder>();
  ended_ = framing == Framing::kNone || (framing == Framing::kLength && length == 0);
}

bool BodyReader::done() const { return ended_; }

Result<size_t> BodyReader::Read(Stream& stream, InputBuffer& input, std::span<char> space,
                                Pace& pace) {
  if (ended_ || space.empty()) return size_t{0};
  if (framing_ == Framing::kChunked) return ReadChunked(stream, input, space, pace);
  if (framing_ == Framing::kLength && space.size() > remaining_) {
    space = space.first(static_cast<size_t>(remaining_));
  }
  size_t got = input.TakeInto(space);
  if (got == 0) got = TRY(stream.Read(space, pace));
  if (framing_ == Framing::kUntilClose) {
    ended_ = got == 0;
    return got;
  }
  if (got == 0) return Failure(CutShort());
  remaining_ -= got;
  ended_ = remaining_ == 0;
  return got;
}

Result<size_t> BodyReader::ReadChunked(Stream& stream, InputBuffer& input, std::span<char> space,
                                       Pace& pace) {
  for (;;) {
    const auto step = TRY(chunks_->Decode(input.view(), space));
    input.Consume(step.consumed);
    ended_ = chunks_->done();
    if (step.produced > 0 || ended_) return step.produced;
    const size_t got = TRY(stream.Read(input.Prepare(kReadSize), pace));
    if (got == 0) return Failure(CutShort());
    input.Commit(got);
  }
}

}  // namespace cay::http
