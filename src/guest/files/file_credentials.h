// FileCredentials: as long as it lives, the calling thread accesses files as another user.
//
//   FileCredentials as_user = TRY(FileCredentials::Assume({.uid = 1000, .gid = 1000},
//   single_user));
//   ... open, rename, chmod: with the rights of that user and no others ...
//
// Sets the filesystem user and group, the supplementary groups, and takes the capabilities that go
// around file permissions out of the effective set, except those that a command of that user has:
// without the last, asking for uid 0 would be asking for everything (a command of uid 0 has no
// capability in most sandboxes, and a file operation must not have more). setfsuid(2),
// capabilities(7). By raw system calls: glibc would set them on every thread. When the old ones
// cannot be put back, the process ends: it must not go on as a mix.
//
// Costs about 2 µs. In single-user mode there is nothing to switch. One at a time on a thread.
#pragma once

#include <sys/types.h>

#include <span>
#include <vector>

#include "base/result.h"

namespace cay::guest {

class FileCredentials {
 public:
  struct User {
    uid_t uid;
    gid_t gid;
    std::span<const gid_t> groups;
    uint32_t capabilities = 0;  // of its commands, as base/privileges.h has them
  };

  static Result<FileCredentials> Assume(const User& user, bool single_user);

  FileCredentials(FileCredentials&& other) noexcept;
  FileCredentials& operator=(FileCredentials&&) = delete;
  ~FileCredentials();

  // For good, and for the whole process, which has one thread: real, effective and saved ids; of
  // its capabilities those about files, no others, and no way to get one. For a worker that was
  // forked.
  static Result<void> BecomeForGood(const User& user, bool single_user);

 private:
  struct Saved {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    uint32_t effective = 0;
  };
  FileCredentials(bool active, Saved saved) : active_(active), saved_(std::move(saved)) {}

  bool active_;
  Saved saved_;
};

}  // namespace cay::guest
