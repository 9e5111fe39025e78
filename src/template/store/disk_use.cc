#include "template/store/disk_use.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "archive/directory_walk.h"
#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

constexpr uint64_t kMaxNames = 20'000'000;
constexpr Bytes kStatBlock = 512;
constexpr size_t kMaxRecord = 4096;
constexpr std::string_view kField = "disk_bytes ";

std::string PathOfRecord(const std::string& layer_directory) { return layer_directory + "/disk"; }

}  // namespace

Result<Bytes> DiskUse::Of(const std::string& path) {
  auto top = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (!top && top.error().sys_errno() == ENOENT) return Bytes{0};
  if (!top) return Failure(std::move(top).error());
  archive::DirectoryWalk walk(*std::move(top), archive::Mounts::kStayOut);
  std::vector<std::vector<std::string>> pending;
  pending.push_back(TRY(AddDirectory(walk.current())));
  while (!pending.empty()) {
    if (pending.back().empty()) {
      pending.pop_back();
      if (!pending.empty()) TRY(walk.Leave());
      continue;
    }
    std::string child = std::move(pending.back().back());
    pending.back().pop_back();
    // An ordinary user may have no right to look into a directory of a layer of its own.
    if (!walk.Enter(std::move(child))) continue;
    pending.push_back(TRY(AddDirectory(walk.current())));
  }
  return bytes_;
}

Result<std::vector<std::string>> DiskUse::AddDirectory(const Fd& directory) {
  struct stat info{};
  if (::fstat(directory.get(), &info) == 0) Add(info);
  std::vector<std::string> subdirectories;
  for (std::string& name : TRY(archive::ReadNames(directory, kMaxNames))) {
    if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
    if (S_ISDIR(info.st_mode)) {
      subdirectories.push_back(std::move(name));
    } else {
      Add(info);
    }
  }
  return subdirectories;
}

void DiskUse::Add(const struct stat& info) {
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 &&
      !linked_.emplace(info.st_dev, info.st_ino).second) {
    return;
  }
  bytes_ += static_cast<Bytes>(info.st_blocks) * kStatBlock;
}

std::optional<Bytes> RecordedDisk(const std::string& layer_directory) {
  const auto text = ReadFile(PathOfRecord(layer_directory), kMaxRecord);
  if (!text || !text->starts_with(kField)) return std::nullopt;
  Bytes bytes = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data() + kField.size(), end, bytes);
  if (error != std::errc() || rest == end || *rest != '\n') return std::nullopt;
  return bytes;
}

Result<Bytes> RecordDisk(const std::string& layer_directory) {
  const Bytes bytes = TRY(DiskUse().Of(layer_directory));
  if (bytes == 0) return bytes;
  // A full disk is no reason not to know it.
  (void)WriteFileAtomic(PathOfRecord(layer_directory),
                        std::string(kField) + std::to_string(bytes) + "\n", 0600);
  return bytes;
}

}  // namespace cay::templates
