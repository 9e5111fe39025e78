#include "base/os/listing.h"

#include <cerrno>
#include <string_view>

namespace cay {

Result<Listing> Listing::Open(const std::string& path) {
  DIR* const stream = ::opendir(path.c_str());
  if (stream == nullptr) return Failure(Error::FromErrno("listing " + path));
  return Listing(stream);
}

Result<Listing> Listing::Of(Fd directory) {
  DIR* const stream = ::fdopendir(directory.get());
  if (stream == nullptr) return Failure(Error::FromErrno("listing a directory"));
  [[maybe_unused]] const int kept = std::move(directory).Release();  // closed with the stream
  return Listing(stream);
}

Result<const dirent*> Listing::Next() {
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(stream_.get());
    if (entry == nullptr && errno != 0) return Failure(Error::FromErrno("listing a directory"));
    if (entry == nullptr) return nullptr;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry;
  }
}

}  // namespace cay
