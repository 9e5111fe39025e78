// Files between this machine and a sandbox of the server's, over the API: cay cp, cay files put and
// get. Names as in docker cp and cp -r:
//
//   a file       into a directory that is there keeps its name; otherwise it becomes TARGET, which has no slash at its end
//   a directory  into one that is there: becomes TARGET/NAME; otherwise it becomes TARGET. "DIR/." is what is in it
//
// In a sandbox the directories above TARGET are made; on this machine they must be there.
//
// What comes out of a sandbox is the work of hostile code: names never leave TARGET, no special
// files, no setuid, no more bytes than the sandbox can hold.
#pragma once

#include <optional>
#include <string>

#include "base/units.h"
#include "cli/client/api_client.h"

namespace cay::cli {

struct FileTransfer {
  ApiClient& api;
  std::string sandbox;  // its id
  std::string user;     // whose files they are inside; empty: the sandbox's
  bool quiet = false;   // no progress, no notes
};

// Errors name the path.
Result<void> CopyToSandbox(const FileTransfer& transfer, const std::string& source,
                           const std::string& target);
Result<void> CopyFromSandbox(const FileTransfer& transfer, const std::string& source,
                             const std::string& target);

// A tar (plain, gzip, zstd) from standard input into the directory `target`; a tar of `source` to
// standard output.
Result<void> UnpackStandardInput(const FileTransfer& transfer, const std::string& target);
Result<void> PackToStandardOutput(const FileTransfer& transfer, const std::string& source,
                                  const std::string& format);

// One file's bytes from, or to, a descriptor.
Result<void> ReadFileTo(const FileTransfer& transfer, const std::string& path, int fd);
Result<void> WriteFileFrom(const FileTransfer& transfer, int fd, const std::string& path,
                           std::optional<uint64_t> size, const std::string& mode);

}  // namespace cay::cli
