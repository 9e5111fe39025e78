// Layers of images that somebody else made: whatever the bytes, unpacking one above a small layer
// ends in a report or an error, nothing outside of its directory is made or changed, the layer
// below least of all, and no name of a whiteout reaches the disk.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "archive/compression.h"
#include "base/os/file.h"
#include "tar_checksums.h"
#include "template/layers/layer_writer.h"

namespace {

namespace fs = std::filesystem;
using cay::Fd;

// "in/" is the layer, "below/" the one under it, "out/" what neither may touch.
struct Place {
  Place() {
    std::string pattern = "/dev/shm/cay-fuzz-XXXXXX";
    const char* const made = ::mkdtemp(pattern.data());
    if (made == nullptr) std::abort();
    path = pattern;
    for (const char* directory : {"/out", "/below", "/below/d", "/below/d/e", "/below/usr"}) {
      if (::mkdir((path + directory).c_str(), 0755) < 0) std::abort();
    }
    for (const char* file : {"/out/victim", "/below/f", "/below/d/f", "/below/d/e/f"}) {
      if (!cay::WriteFileAtomic(path + file, "keep", 0600)) std::abort();
    }
    if (::symlink("usr", (path + "/below/lib").c_str()) < 0 ||
        ::symlink((path + "/out").c_str(), (path + "/below/out").c_str()) < 0 ||
        ::symlink("../../out", (path + "/below/d/up").c_str()) < 0 ||
        ::symlink("loop", (path + "/below/loop").c_str()) < 0) {
      std::abort();
    }
    before = Seen();
  }
  ~Place() { static_cast<void>(cay::RemoveTreeAt(AT_FDCWD, path)); }

  // All that must stay as it is.
  std::string Seen() const {
    std::string seen;
    for (const char* top : {"/out", "/below"}) {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path + top)) {
        struct stat info{};
        if (::lstat(entry.path().c_str(), &info) < 0) std::abort();
        for (const auto part :
             {uint64_t{info.st_ino}, uint64_t{info.st_mode}, uint64_t{info.st_uid},
              static_cast<uint64_t>(info.st_size), uint64_t{info.st_nlink},
              static_cast<uint64_t>(info.st_mtim.tv_nsec),
              static_cast<uint64_t>(info.st_ctim.tv_nsec)}) {
          seen += std::to_string(part) + " ";
        }
        seen += entry.path().string() + "\n";
      }
    }
    return seen;
  }

  std::string path;
  std::string before;
};

Fd OpenDirectory(const std::string& path) {
  return Fd::Adopt(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void CheckNames(const std::string& path) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.path().filename().string().starts_with(".wh.")) std::abort();
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) < 0) std::abort();
    const bool whiteout = S_ISCHR(info.st_mode) && info.st_rdev == 0;
    const bool usual = S_ISDIR(info.st_mode) || S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);
    if ((!whiteout && !usual) || (info.st_mode & (S_ISUID | S_ISGID)) != 0) std::abort();
  }
}

void Unpack(const std::string& path, std::string_view bytes) {
  const std::string in = path + "/in";
  if (::mkdir(in.c_str(), 0755) < 0) std::abort();
  std::vector<Fd> lower;
  lower.push_back(OpenDirectory(path + "/below"));
  cay::archive::StringSource packed(bytes);
  cay::archive::UnpackOptions options;
  options.max_entries = 64;
  options.max_bytes = 1 << 20;
  options.max_file_bytes = 1 << 20;
  options.keep_sticky_directories = true;
  if (const auto plain = cay::archive::Decompress(packed)) {
    static_cast<void>(cay::templates::WriteLayer(**plain, lower, OpenDirectory(in), options,
                                                 cay::templates::OverlayXattrsOfCaller()));
  }
  CheckNames(in);
  if (!cay::RemoveTreeAt(AT_FDCWD, in)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Place place;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Unpack(place.path, bytes);
  Unpack(place.path, cay::fuzz::WithChecksums(bytes));
  if (place.Seen() != place.before) std::abort();
  return 0;
}
