// DecompressAny: as Decompress (compression.h), and of xz (The .xz File Format 1.1) and bzip2 as
// well: what Dockerfiles unpack. It stands apart because the guest has no use for it.
//
//   auto plain = TRY(DecompressAny(source));       // by the first bytes; plain stays plain
//
// Borrows the source. Memory is bounded: xz with a dictionary that needs more than 128 MiB is
// kLimitTooHigh (`xz -9` needs 65). Streams one after the other are one; of bzip2, what follows and
// is none is not looked at, as bzip2(1) does. Errors are those of Decompress.
#pragma once

#include <memory>

#include "archive/byte_stream.h"

namespace cay::archive {

Result<std::unique_ptr<ByteSource>> DecompressAny(ByteSource& source);

}  // namespace cay::archive
