// For tests: a full disk.
#pragma once

#include <signal.h>
#include <sys/resource.h>

namespace cay::store {

// No file of this process grows while it lives: writes fail with EFBIG, which the store takes as it
// takes ENOSPC.
class NoRoom {
 public:
  NoRoom() {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 1;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoRoom() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_{};
};

}  // namespace cay::store
