// Compression of archive streams: gzip (RFC 1952) and zstd (RFC 8878).
//
//   auto plain = TRY(Decompress(source));                 // by the first bytes; plain stays plain
//   auto packed = TRY(Compress(sink, Compression::kZstd));
//   ... packed->Write(bytes) ...
//   TRY(packed->Finish());
//
// Both borrow the stream they stand on. Memory is bounded: a zstd window of more than 128 MiB (what
// `zstd --long` without a number makes) is refused. The reader bounds how much a stream unfolds to:
// it asks for no more bytes than it is willing to take.
#pragma once

#include <memory>
#include <optional>

#include "archive/byte_stream.h"

namespace cay::archive {

enum class Compression { kNone, kGzip, kZstd };

// Errors: kInvalidArgument for a damaged or truncated stream, for xz, bzip2 and zip, which are
// named, and for another compression than the one expected.
Result<std::unique_ptr<ByteSource>> Decompress(ByteSource& source,
                                               std::optional<Compression> expected = {});

class CompressedSink : public ByteSink {
 public:
  // Writes what is buffered and the trailer. To be called once; nothing is written after it.
  virtual Result<void> Finish() = 0;
};

Result<std::unique_ptr<CompressedSink>> Compress(ByteSink& sink, Compression compression);

}  // namespace cay::archive
