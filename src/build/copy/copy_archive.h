// The archive of a CopyPlan: a tar stream, the same for the same plan and files.
#pragma once

#include <cstdint>
#include <string>

#include "archive/byte_stream.h"
#include "base/result.h"
#include "build/copy/copy_plan.h"

namespace cay::build {

enum class TimesMode : uint8_t {
  kZero,  // all times are 0, and holes of files are written as zeros: what a cache key is made of
  kReal,  // what is unpacked
};

// Names are whole, without "/" at the beginning. A file that is no longer what the plan saw (gone,
// another size, another type) is kInvalidArgument with ESTALE; one that may not be read
// kPermissionDenied. Then the stream has no end marker. Blocking.
Result<void> WriteCopyArchive(CopyPlan& plan, archive::ByteSink& sink, TimesMode times);

// SHA-256 of the archive with kZero, 64 hexadecimal digits: names, types, modes, owners, targets of
// links, attributes and content.
Result<std::string> CopyDigest(CopyPlan& plan);

// Both at once: the archive with kReal, and the digest of what is in it.
Result<std::string> WriteAndDigest(CopyPlan& plan, archive::ByteSink& sink);

}  // namespace cay::build
