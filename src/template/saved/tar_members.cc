#include "template/saved/tar_members.h"

#include <algorithm>
#include <array>

#include "archive/safe_path.h"
#include "archive/tar_reader.h"
#include "template/oci/docker_archive.h"

namespace cay::templates {
namespace {

using archive::EntryType;
using archive::Printable;
using archive::TarEntry;

constexpr std::array<std::string_view, 17> kRootNames = {
    "bin",  "boot", "dev",  "etc", "home", "lib", "lib64", "opt", "proc",
    "root", "run",  "sbin", "srv", "sys",  "tmp", "usr",   "var"};

// Where a symlink leads, by its text alone: "../b/layer.tar" in "a" is "b/layer.tar". Nothing for
// what is absolute or leaves the archive.
std::optional<std::string> Lead(std::string_view parent, std::string_view target) {
  if (target.empty() || target.front() == '/') return std::nullopt;
  std::string path(parent);
  while (!target.empty()) {
    const size_t slash = std::min(target.find('/'), target.size());
    const std::string_view part = target.substr(0, slash);
    target.remove_prefix(std::min(slash + 1, target.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (path.empty()) return std::nullopt;
      path.resize(archive::SplitLast(path).parent.size());
    } else {
      if (!path.empty()) path += '/';
      path += part;
    }
  }
  return path;
}

Failure TooMany(std::string_view what) {
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
            "an archive of images has more " + std::string(what) + " than this one may"));
}

}  // namespace

bool IsRootDirectoryName(std::string_view name) {
  return std::ranges::find(kRootNames, name) != kRootNames.end();
}

class TarMembers::Scanner {
 public:
  explicit Scanner(archive::ByteSource& tar) : reader_(tar) {}

  Result<std::optional<TarMembers>> Run() {
    while (const std::optional<TarEntry> entry = TRY(reader_.Next())) {
      const auto path = archive::NormalizeEntryPath(entry->path);
      // Not a name that an archive of images has: unpacking it says what is wrong with it.
      if (!path) return std::optional<TarMembers>();
      if (IsRootDirectoryName(path->substr(0, path->find('/')))) return std::optional<TarMembers>();
      TRY(Add(*path, *entry));
    }
    const auto has = [&](std::string_view name) { return found_.members_.contains(name); };
    if (has(oci::kSavedManifest) || (has(oci::kLayoutMark) && has(oci::kLayoutIndex)))
      return std::optional(std::move(found_));
    return std::optional<TarMembers>();
  }

 private:
  Result<void> Add(const std::string& path, const TarEntry& entry) {
    Member member;
    switch (entry.type) {
      case EntryType::kFile:
        member.kind = entry.sparse ? Member::Kind::kSparse : Member::Kind::kFile;
        member.place = {.offset = reader_.offset(), .size = entry.size};
        break;
      case EntryType::kSymlink:
        member.kind = Member::Kind::kLink;
        member.target = Lead(archive::SplitLast(path).parent, entry.link_target).value_or("");
        break;
      case EntryType::kHardLink: {
        member.kind = Member::Kind::kLink;
        const auto target = archive::NormalizeEntryPath(entry.link_target);
        if (target) member.target = *target;
        break;
      }
      default:
        return {};  // directories say nothing, and anything else is not looked at
    }
    names_ += path.size() + member.target.size();
    if (names_ > kMaxNames) return TooMany("names");
    const auto [at, is_new] = found_.members_.try_emplace(path, std::move(member));
    if (!is_new) at->second.twice = true;
    if (found_.members_.size() > kMaxMembers) return TooMany("files");
    return {};
  }

  archive::TarReader reader_;
  TarMembers found_;
  size_t names_ = 0;
};

Result<std::optional<TarMembers>> TarMembers::Scan(archive::ByteSource& tar) {
  return Scanner(tar).Run();
}

Result<std::optional<TarMembers::Place>> TarMembers::Find(const std::string& path) const {
  const auto quoted = "the archive's \"" + Printable(path) + "\" ";
  std::string at = path;
  for (int links = 0; links <= kMaxLinks; ++links) {
    const auto found = members_.find(at);
    if (found == members_.end()) {
      if (links == 0) return std::optional<Place>();
      return Failure(Error::Invalid(quoted + "is a link to \"" + Printable(at) +
                                    "\", which is not in the archive"));
    }
    const Member& member = found->second;
    if (member.twice) {
      return Failure(Error::Invalid("the archive has \"" + Printable(at) + "\" more than once"));
    }
    if (member.kind == Member::Kind::kFile) return std::optional(member.place);
    if (member.kind == Member::Kind::kSparse) {
      return Failure(
          Error(ErrorCode::kNotSupported, Fault::kCaller, quoted + "is stored as a sparse file")
              .WithRemedy("pack the archive anew, without --sparse"));
    }
    if (member.target.empty()) {
      return Failure(Error::Invalid(quoted + "is a link that leads out of the archive"));
    }
    at = member.target;
  }
  return Failure(Error::Invalid(quoted + "is a link in a circle"));
}

}  // namespace cay::templates
