// BodyReader: takes the body of one message off its connection: by length, in chunks, or until the
// end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "http/transport/stream.h"
#include "http/wire/chunked.h"
#include "http/wire/head.h"
#include "http/wire/input_buffer.h"

namespace cay::http {

class BodyReader {
 public:
  BodyReader(Framing framing, uint64_t length);

  // The next piece; 0 at the body's end. kUnavailable when the connection ends before, kProtocol
  // when it is not chunked as it says.
  Result<size_t> Read(Stream& stream, InputBuffer& input, std::span<char> space, Pace& pace);
  // The same without waiting: nothing when there is nothing yet.
  Result<std::optional<size_t>> TryRead(Stream& stream, InputBuffer& input, std::span<char> space,
                                        Pace& pace);

  bool done() const;
  // Known for bodies with a length; 0 otherwise.
  uint64_t remaining() const { return remaining_; }

 private:
  Result<std::optional<size_t>> TryReadChunked(Stream& stream, InputBuffer& input,
                                               std::span<char> space, Pace& pace);

  Framing framing_;
  uint64_t remaining_ = 0;
  ChunkDecoder chunks_;  // of Framing::kChunked
  bool ended_ = false;
};

}  // namespace cay::http
