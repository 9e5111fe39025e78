#include "archive/file_content.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace cay::archive {
namespace {

constexpr size_t kMaxXattrBytes = 256 * 1024;  // of one file

}  // namespace

void ReadUserXattrs(const Fd& fd, TarEntry& entry) {
  std::array<char, 16 * 1024> list;
  const ssize_t length = ::flistxattr(fd.get(), list.data(), list.size());
  if (length <= 0) return;
  size_t total = 0;
  std::string_view names(list.data(), static_cast<size_t>(length));
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find('\0')));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (!name.starts_with("user.") || name.find('=') != std::string::npos) continue;
    std::string value(64 * 1024, '\0');
    const ssize_t got = ::fgetxattr(fd.get(), name.c_str(), value.data(), value.size());
    if (got < 0) continue;
    value.resize(static_cast<size_t>(got));
    total += name.size() + value.size();
    if (total > kMaxXattrBytes) return;
    entry.xattrs.emplace_back(name, std::move(value));
  }
}

Result<std::optional<std::vector<Segment>>> FindSegments(const Fd& file, uint64_t size) {
  std::vector<Segment> segments;
  off_t at = 0;
  const auto end = static_cast<off_t>(size);
  while (at < end) {
    const off_t data = ::lseek(file.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return Failure(Error::FromErrno("looking for data"));
    if (data >= end) break;
    const off_t hole = ::lseek(file.get(), data, SEEK_HOLE);
    if (hole < 0 && errno == ENXIO) break;  // it shrank
    if (hole < 0) return Failure(Error::FromErrno("looking for holes"));
    if (segments.size() + 1 >= kMaxSegments) return std::optional<std::vector<Segment>>();
    const off_t stop = std::min(hole, end);
    segments.push_back(
        {.offset = static_cast<uint64_t>(data), .length = static_cast<uint64_t>(stop - data)});
    at = stop;
  }
  return std::optional(std::move(segments));
}

}  // namespace cay::archive
