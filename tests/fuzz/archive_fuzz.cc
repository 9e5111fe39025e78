// Archives that somebody else made: whatever the bytes, unpacking ends in a report or an error, and
// nothing outside of the directory is made or changed.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "archive/compression.h"
#include "archive/directory_walk.h"
#include "archive/unpack.h"
#include "base/os/file.h"
#include "tar_checksums.h"

namespace {

using cay::Fd;

// "out/" beside "in/": names of the first can be reached from the second by "../out" alone.
struct Place {
  Place() {
    std::string pattern = "/dev/shm/cay-fuzz-XXXXXX";
    const char* const made = ::mkdtemp(pattern.data());
    if (made == nullptr || ::mkdir((pattern + "/out").c_str(), 0755) < 0) std::abort();
    path = pattern;
    if (!cay::WriteFileAtomic(path + "/out/victim", "keep", 0600)) std::abort();
  }
  ~Place() { static_cast<void>(cay::RemoveTreeAt(AT_FDCWD, path)); }
  std::string path;
};

Fd OpenDirectory(const std::string& path) {
  return Fd::Adopt(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void Unpack(const std::string& path, std::string_view bytes) {
  const Fd directory = OpenDirectory(path);
  cay::archive::StringSource packed(bytes);
  cay::archive::UnpackOptions options;
  options.max_entries = 64;
  options.max_bytes = 1 << 20;
  options.max_file_bytes = 1 << 20;
  if (const auto plain = cay::archive::Decompress(packed)) {
    static_cast<void>(cay::archive::Unpack(**plain, directory, options));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Place place;
  if (::mkdir((place.path + "/in").c_str(), 0755) < 0) std::abort();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Unpack(place.path + "/in", bytes);
  Unpack(place.path + "/in", cay::fuzz::WithChecksums(bytes));
  if (!cay::RemoveTreeAt(AT_FDCWD, place.path + "/in")) std::abort();
  struct stat victim{};
  const Fd out = OpenDirectory(place.path + "/out");
  const auto names = cay::archive::ReadNames(out, 10);
  if (!names || names->size() != 1 || cay::ReadFile(place.path + "/out/victim") != "keep" ||
      ::stat((place.path + "/out/victim").c_str(), &victim) < 0 || victim.st_nlink != 1 ||
      (victim.st_mode & 07777) != 0600) {
    std::abort();
  }
  return 0;
}
