// BlobStore: contents by their SHA-256, each once, and the names that lead to them as hard links.
//
//   IncomingBlob incoming = TRY(blobs.Receive());
//   TRY(incoming.Append(bytes)) …
//   std::string digest = TRY(incoming.Finish());          // on the disk, under no name yet
//   TRY(blobs.Keep(std::move(incoming), digest));         // under its digest; nothing when it was there
//   TRY(blobs.Link(digest, directory, "report.txt"));
//   TRY(blobs.Unlink(directory, "report.txt"));
//   blobs.DropUnused(digest);                             // gone with its last name
//
// The caller holds a lock for everything except Receive, Append and Finish. What was done is on the
// disk when a call returns (fsync of file and directory).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "crypto/digest.h"

namespace cay::sandbox {

// A content that is being received: a file of its own, removed unless it is kept.
class IncomingBlob {
 public:
  IncomingBlob(IncomingBlob&& other) noexcept;
  IncomingBlob& operator=(IncomingBlob&&) = delete;
  ~IncomingBlob();

  // kResourceExhausted while less is free than the machine keeps for itself (base/os/disk_room.h).
  Result<void> Append(std::string_view bytes);
  Bytes size() const { return size_; }
  // No more comes: on the disk. Its digest.
  Result<std::string> Finish();

 private:
  friend class BlobStore;
  IncomingBlob(std::string path, Fd fd, Sha256 digest)
      : path_(std::move(path)), fd_(std::move(fd)), digest_(std::move(digest)) {}

  std::string path_;  // empty once it is kept
  Fd fd_;
  Sha256 digest_;
  Bytes size_ = 0;
  Bytes next_room_check_ = 0;
};

class BlobStore {
 public:
  // Opens the store below `directory`, which is made if it is missing. Removes what was being
  // received when the last program ended.
  static Result<BlobStore> Open(const std::string& directory);

  Result<IncomingBlob> Receive();
  Result<void> Keep(IncomingBlob incoming, const std::string& digest);
  bool Has(const std::string& digest) const;
  // Takes the place of what has that name.
  Result<void> Link(const std::string& digest, const std::string& directory,
                    const std::string& name);
  static Result<void> Unlink(const std::string& directory, const std::string& name);
  // Whether a name leads to this content.
  bool Leads(const std::string& directory, const std::string& name,
             const std::string& digest) const;

  // Removes a content without names. Failures are logged: it is found again when the store is
  // opened.
  void DropUnused(const std::string& digest);
  void DropAllUnused();

 private:
  explicit BlobStore(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(const std::string& digest) const { return directory_ + "/blobs/" + digest; }

  std::string directory_;
};

// Makes what was done in a directory survive a loss of power.
Result<void> SyncDirectory(const std::string& path);

// The names in a directory except "." and "..".
Result<std::vector<std::string>> NamesIn(const std::string& path);

}  // namespace cay::sandbox
