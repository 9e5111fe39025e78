// Files between this machine and a sandbox, for --copy and --out, as COPY of a Dockerfile does it:
//
//   SRC a file       DST ends in "/" or is a directory: SRC keeps its name; otherwise it becomes DST
//   SRC a directory  its contents become those of DST, beside what is there
//
// A relative path inside is taken from the working directory. Parents that are missing are made.
// The files inside belong to the user of the command. What comes out is the work of hostile code:
// names never leave DST, no special files, no setuid, no more bytes than `max_bytes`.
#pragma once

#include <string>

#include "base/units.h"
#include "cli/frame/argument_values.h"
#include "guest_link/guest_channel.h"

namespace cay::cli {

struct TransferContext {
  const GuestChannel& guest;
  std::string user;     // whose files they are inside
  std::string workdir;  // inside
  Bytes max_bytes = 0;  // of one --out
};

// Errors name the path. Blocking; the usual effect of a signal ends it.
Result<void> CopyIn(const TransferContext& context, const Transfer& transfer);
Result<void> CopyOut(const TransferContext& context, const Transfer& transfer);

// Where a file of the name `source` goes, by the rules above.
std::string PlaceForFile(const std::string& source, const std::string& target,
                         bool target_is_directory);

}  // namespace cay::cli
