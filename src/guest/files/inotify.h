// Inotify: one queue of the kernel's about directories (inotify(7)), and its events as they are
// read.
//
//   Inotify inotify = TRY(Inotify::Open());
//   std::optional<int> watch = TRY(inotify.Watch(directory, kEvents));
//   for (const Inotify::Event& event : TRY(inotify.Read())) ...
#pragma once

#include <sys/inotify.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::guest {

class Inotify {
 public:
  struct Event {
    int watch;
    uint32_t mask;    // IN_…
    uint32_t cookie;  // the same of both names of a rename
    std::string name;
    bool directory() const { return (mask & IN_ISDIR) != 0; }
  };

  static Result<Inotify> Open();

  int fd() const { return fd_.get(); }

  // A directory's watch: the one that it has already, or a new one. Nothing when the kernel's limit
  // is reached.
  Result<std::optional<int>> Watch(const Fd& directory, uint32_t mask);
  // Its events that are in the queue can still be read, and IN_IGNORED. Numbers are not given
  // again.
  void Unwatch(int watch);

  // Without waiting: at most a buffer full, and maybe none.
  Result<std::vector<Event>> Read();
  // Whether there is something to read.
  bool Waits() const;

 private:
  explicit Inotify(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace cay::guest
