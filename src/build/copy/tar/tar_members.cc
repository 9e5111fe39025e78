#include "build/copy/tar/tar_members.h"

#include <algorithm>
#include <array>
#include <vector>

#include "archive/extraction.h"
#include "archive/formats/any_compression.h"
#include "archive/safe_path.h"
#include "archive/tar_reader.h"
#include "build/copy/tar/tar_probe.h"

namespace cay::build {
namespace {

using archive::EntryType;
using archive::TarEntry;

constexpr size_t kBufferBytes = 256 * 1024;
constexpr Bytes kHeaderBytes = 256 * kMiB;  // on top of content

// Hands bytes on, and writes them.
class Tee final : public archive::ByteSource {
 public:
  Tee(archive::ByteSource& source, archive::TarWriter* raw) : source_(source), raw_(raw) {}

  Result<size_t> Read(std::span<char> into) override {
    const size_t got = TRY(source_.Read(into));
    if (raw_ == nullptr) return got;
    if (got > raw_->data_left()) return Failure(Changed());
    TRY(raw_->WriteData({into.data(), got}));
    return got;
  }

  Result<void> Finish() {
    if (raw_ == nullptr) return {};
    std::vector<char> rest(kBufferBytes);
    while (TRY(Read(rest)) > 0) {
    }
    if (raw_->data_left() != 0) return Failure(Changed());
    return raw_->End();
  }

 private:
  static Error Changed() {
    return Error::Impossible("an archive was changed while it was unpacked", ESTALE);
  }

  archive::ByteSource& source_;
  archive::TarWriter* raw_;
};

std::string Below(const std::string& target, const std::string& path) {
  return target.empty() ? path : target + "/" + path;
}

Result<std::string> Normalize(const TarEntry& entry, std::string_view path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  if (path.empty()) return std::string();
  std::string normal = TRY(archive::NormalizeEntryPath(path));
  if (("/" + normal).contains("/.wh.")) {
    return Failure(archive::Refused(
        entry, "has a name that begins with \".wh.\", which removes a file of a layer"));
  }
  return normal;
}

// False for the archive's own root: the destination stays as it is.
Result<bool> Move(const TarMembers& to, TarEntry& entry) {
  const std::string path = TRY(Normalize(entry, entry.path));
  if (path.empty()) return false;
  if (entry.type == EntryType::kHardLink) {
    const std::string target = TRY(Normalize(entry, entry.link_target));
    entry.link_target = Below(to.target, target);
  }
  entry.path = Below(to.target, path);
  if (to.owner) {
    entry.uid = to.owner->uid;
    entry.gid = to.owner->gid;
  }
  // What only its vendor knows is not made, as a FIFO is not.
  if (entry.type == EntryType::kOther) entry.type = EntryType::kFifo;
  return true;
}

Result<void> CopyMembers(const TarMembers& to, archive::ByteSource& plain,
                         archive::TarWriter& members) {
  archive::TarReader reader(plain);
  reader.set_limit(to.max_bytes + kHeaderBytes);
  std::vector<char> buffer(kBufferBytes);
  while (std::optional<TarEntry> entry = TRY(reader.Next())) {
    if (!TRY(Move(to, *entry))) continue;
    TRY(members.Begin(*entry));
    while (entry->type == EntryType::kFile) {
      const size_t got = TRY(reader.ReadData(buffer));
      if (got == 0) break;
      TRY(members.WriteData({buffer.data(), got}));
    }
    TRY(members.End());
  }
  return {};
}

}  // namespace

Result<void> TarMembers::Write(archive::TarWriter* members, archive::TarWriter* raw) const {
  WholeFile whole(file);
  Tee tee(whole, raw);
  if (members != nullptr) {
    const auto plain = TRY(archive::DecompressAny(tee));
    TRY(CopyMembers(*this, *plain, *members));
  }
  return tee.Finish();
}

}  // namespace cay::build
