// Listing: the names in a directory, one after another. An error in the middle is reported, and not
// taken for the end: a caller that took a part for the whole would take the rest for removed.
//
//   Listing listing = TRY(Listing::Open(path));
//   while (const dirent* entry = TRY(listing.Next())) …
#pragma once

#include <dirent.h>

#include <memory>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay {

class Listing {
 public:
  // The error has the errno: ENOENT where there is no such directory.
  static Result<Listing> Open(const std::string& path);
  // Of a directory that is open for reading.
  static Result<Listing> Of(Fd directory);

  // Without "." and "..". Null at the end; what it points to is good until the next call.
  Result<const dirent*> Next();

  // The directory's descriptor, borrowed.
  int fd() const { return ::dirfd(stream_.get()); }

 private:
  struct Closer {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  explicit Listing(DIR* stream) : stream_(stream) {}

  std::unique_ptr<DIR, Closer> stream_;
};

}  // namespace cay
