// ChunkDecoder: a body in chunks (RFC 9112, 7.1), from its bytes. Our own code, not Boost.Beast's
// (docs/decisions/0035). Strict: what two programs read differently is a way past one of them.
// Lines end with CR LF, hold no control characters except tabs, and have bounds. Pure.
//
//   ChunkDecoder chunks;
//   while (!chunks.done()) {
//     const auto step = TRY(chunks.Decode(input, space));   // more input, where it took none
//   }
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::http {

class ChunkDecoder {
 public:
  // A chunk's head, and the trailer fields together, may not be longer.
  static constexpr size_t kMaxOverhead = size_t{16} * 1024;

  struct Step {
    size_t consumed = 0;  // of `input`
    size_t produced = 0;  // into `space`
  };
  // Decodes what it can. Neither consumes nor produces when it needs more input than there is.
  // kProtocol for what is no chunked body; whether it is does not depend on the pieces it comes in.
  // Extensions and trailer fields are read over.
  Result<Step> Decode(std::string_view input, std::span<char> space);
  bool done() const { return next_ == Next::kNothing; }

 private:
  enum class Next : uint8_t { kSize, kData, kDataEnd, kTrailer, kNothing };
  void Expect(Next next, size_t room) {
    next_ = next;
    room_ = room;
  }
  Result<void> TakeLine(std::string_view line);

  Next next_ = Next::kSize;
  size_t room_ = kMaxOverhead;  // for the next line
  uint64_t left_ = 0;           // of the chunk's data
};

// "1f40\r\n": what stands before a chunk of so many bytes (> 0); "\r\n" stands behind it.
std::string ChunkHead(size_t bytes);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace cay::http
