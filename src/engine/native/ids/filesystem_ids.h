// FilesystemIds: while it lives, the calling thread has this uid and gid towards files
// (setfsuid(2)): files are opened with their rights, and new ones belong to them.
//
//   {
//     const FilesystemIds as_user(kUserId);
//     …
//   }
//
// With an id other than 0 the capabilities over files are gone meanwhile, unless the thread has
// SECBIT_NO_SETUID_FIXUP (capabilities(7)).
#pragma once

#include <sys/fsuid.h>
#include <sys/types.h>

namespace cay::engine::native {

class FilesystemIds {
 public:
  // `id` is uid and gid. The thread has CAP_SETUID and CAP_SETGID, or the id already.
  explicit FilesystemIds(uid_t id) : uid_(::setfsuid(id)), gid_(::setfsgid(id)) {}
  ~FilesystemIds() {
    ::setfsuid(static_cast<uid_t>(uid_));
    ::setfsgid(static_cast<gid_t>(gid_));
  }
  FilesystemIds(const FilesystemIds&) = delete;
  FilesystemIds& operator=(const FilesystemIds&) = delete;

 private:
  int uid_;
  int gid_;
};

}  // namespace cay::engine::native
