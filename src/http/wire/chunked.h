// ChunkDecoder: a body in chunks (RFC 9112, 7.1), from its bytes; Boost.Beast's parser behind it.
// Pure.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::http {

class ChunkDecoder {
 public:
  // A chunk's head, and the trailer fields together, may not be longer.
  static constexpr size_t kMaxOverhead = size_t{16} * 1024;

  ChunkDecoder();
  ~ChunkDecoder();

  struct Step {
    size_t consumed = 0;  // of `input`
    size_t produced = 0;  // into `space`
  };
  // Decodes what it can. Neither consumes nor produces when it needs more input than there is.
  // kProtocol for what is no chunked body. Trailer fields are read over.
  Result<Step> Decode(std::string_view input, std::span<char> space);
  bool done() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// "1f40\r\n": what stands before a chunk of so many bytes (> 0); "\r\n" stands behind it.
std::string ChunkHead(size_t bytes);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace cay::http
