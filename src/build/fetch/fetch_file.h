// FetchFile: the file at a URL, for an ADD.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "archive/tar_entry.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "build/fetch/fetch_step.h"
#include "build/fetch/remote_source.h"

namespace cay::build {

// A file that is fetched is as large at most as this, and as a step's disk.
inline constexpr Bytes kMaxFetchedFile = 16 * kGiB;

struct FetchedContent {
  templates::NewLayer layer;  // where it lies; it goes with this
  std::shared_ptr<const Fd> file{};
  std::optional<archive::Timestamp> mtime{};
};

// `checksum`: "sha256:…", which the content has to be; empty: it may be any. The errors of
// Download and RunFetch, each naming what was fetched; kProtocol for another content. Blocking.
Result<FetchedContent> FetchFile(const FetchTools& tools, const RemoteFile& remote,
                                 const std::string& checksum);

}  // namespace cay::build
