// DownloadBlobs: blobs of an image into files of a directory, several at a time.
//
//   const std::string name = TRY(DownloadBlob(client, reference, layer, directory, call));
//   … openat(directory, name) …     // its bytes are those of the digest, and on the disk
//
// A file gets its name, "sha256-ba78…", when its digest (of the bytes as they are stored:
// compressed) has been verified and it is on the disk; before that it is "sha256-ba78….partial",
// under a lock (flock(2)), so that two programs that want the same blob fetch it once. What a
// download that ended before has left is gone on with: in this process, another one, or after a
// crash. Files that have their names are read and verified again before they are given out; one
// that is not what it says is removed, and fetched anew.
//
// The directory is Cay's own, and nobody else writes to it. Who owns it removes what is old; a
// partial file may be removed at any time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/oci/descriptor.h"
#include "template/registry/registry_client.h"

namespace cay::templates::registry {

struct BlobProgress {
  const oci::Descriptor& descriptor;
  Bytes done = 0;         // of descriptor.size; goes back when a download begins anew
  bool is_whole = false;  // its last report: verified, and under its name
};

struct DownloadOptions {
  // At the beginning and end of each blob, and about every MiB between; one call at a time, from
  // any thread. May be empty.
  std::function<void(const BlobProgress&)> on_progress{};
};

// "sha256-ba78…".
std::string BlobFileName(const oci::Digest& digest);

// The name of its file. Mirrors are asked first; where one breaks off, the next goes on. An attempt
// that brings less than a MiB counts against the settings' attempts. The errors of RegistryClient,
// and kResourceExhausted for a full disk, on which the partial file is not left.
Result<std::string> DownloadBlob(RegistryClient& client, const oci::ImageReference& reference,
                                 const oci::Descriptor& descriptor, const Fd& directory,
                                 const CallOptions& call, const DownloadOptions& options = {});

// All of them, at most `parallel_downloads` at a time, each once however often it is named; the
// names in the order of `descriptors`. The first error ends the others, whose partial files stay.
// kLimitTooHigh when they have more than max_image_bytes together.
Result<std::vector<std::string>> DownloadBlobs(RegistryClient& client,
                                               const oci::ImageReference& reference,
                                               const std::vector<oci::Descriptor>& descriptors,
                                               const Fd& directory, const CallOptions& call,
                                               const DownloadOptions& options = {});

}  // namespace cay::templates::registry
