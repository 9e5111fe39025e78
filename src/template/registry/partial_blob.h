// PartialBlob: the file that a blob is downloaded into, and the one it becomes (blob_download.h).
// One thread; its lock keeps other threads and processes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "template/oci/descriptor.h"
#include "template/registry/call_options.h"

namespace cay::templates::registry {

class PartialBlob {
 public:
  // Waits for whoever has it, until it is done with it or `call` is stopped. What is there already
  // has been added to the digest.
  static Result<PartialBlob> Open(const Fd& directory, const oci::Descriptor& descriptor,
                                  const CallOptions& call);

  Bytes size() const { return verifier_.size(); }
  Bytes left() const { return descriptor_->size - size(); }

  // kProtocol for more than the descriptor says; kResourceExhausted for a full disk, and where less
  // is free than the machine keeps for itself (base/os/disk_room.h).
  Result<void> Append(std::string_view bytes);
  // Begins anew.
  Result<void> Clear();
  // kProtocol when it is not what the digest names; then only Clear may follow.
  Result<void> Verify();
  // On the disk, and under its name. After Verify.
  Result<void> Publish();
  // Away with it.
  void Remove();

 private:
  PartialBlob(const Fd& directory, const oci::Descriptor& descriptor, Fd file, std::string name,
              oci::DigestVerifier verifier)
      : directory_(&directory),
        descriptor_(&descriptor),
        file_(std::move(file)),
        name_(std::move(name)),
        verifier_(std::move(verifier)) {}
  Result<void> TakeIn(Bytes size, const CallOptions& call);

  const Fd* directory_;
  const oci::Descriptor* descriptor_;
  Fd file_;
  std::string name_;  // with ".partial"
  oci::DigestVerifier verifier_;
  Bytes next_room_check_ = 0;
};

// Whether the file of that name is there and is what the descriptor says; one that is not is
// removed. Reads all of it.
Result<bool> HasWholeBlob(const Fd& directory, const oci::Descriptor& descriptor,
                          const CallOptions& call);

}  // namespace cay::templates::registry
