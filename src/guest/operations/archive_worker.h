// Archive worker: packs or unpacks in a child of the guest, because that takes long and waits for
// disk and host, and the guest's one loop must not. The child has the connection's socket, is the
// user for good (all ids, no capability), and speaks frames itself until it has sent the terminal
// one; an archive that breaks it breaks nothing else.
// docs/decisions/0011-file-operations-in-the-loop.md.
//
// It counts as a process of the sandbox: at the limit of processes archives are refused, with a
// reason.
#pragma once

#include <string>

#include "base/result.h"
#include "guest/files/file_credentials.h"
#include "guest/files/temporaries.h"
#include "protocol/file_messages.h"

namespace cay::guest {

// What the child does. Called in it, once; the child ends when it returns.
struct ArchiveJob {
  int socket;         // of the connection; nothing else is open
  std::string early;  // bytes that the host sent after its request
  FileCredentials::User user;
  bool single_user;
  Temporaries& temporaries;  // as they were when the child began: left out
};
void RunArchiveOut(const ArchiveJob& job, const protocol::ArchiveOutRequest& request);
void RunArchiveIn(const ArchiveJob& job, const protocol::ArchiveInRequest& request);

}  // namespace cay::guest
