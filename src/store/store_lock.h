// StoreLock: one server for a state directory. STATE_DIR/server.lock is locked with flock(2) and
// names who has it; the kernel lets go of it when that process ends, however it ends.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::store {

class StoreLock {
 public:
  // kAlreadyExists when another server has the directory; it is named.
  static Result<StoreLock> Take(const std::string& state_dir);

 private:
  explicit StoreLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace cay::store
