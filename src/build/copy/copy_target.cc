#include "build/copy/copy_target.h"

#include <algorithm>

#include "archive/directory_ends.h"
#include "archive/safe_path.h"

namespace cay::build {
namespace {

CopyTarget::Kind KindOf(Place::Kind kind) {
  if (kind == Place::Kind::kNothing) return CopyTarget::Kind::kNothing;
  return kind == Place::Kind::kDirectory ? CopyTarget::Kind::kDirectory : CopyTarget::Kind::kOther;
}

}  // namespace

Result<std::string> CopyTarget::Resolve(std::string_view path) {
  Result<Place> place = below_.Resolve(path);
  if (!place) return Failure(std::move(place).error().WithContext("the destination"));
  return std::move(place->path);
}

// What a single source with many files plans is looked for by nobody: no two of its files have one
// name. So it is indexed when the next one begins.
Result<void> CopyTarget::IndexPlanned() {
  for (; indexed_ < plan_.entries.size(); ++indexed_) {
    const PlanEntry& entry = plan_.entries[indexed_];
    std::string target = plan_.TargetOf(entry);
    TRY(plan_.CountNames(target.size()));
    const bool directory = entry.is_archive || entry.type == archive::EntryType::kDirectory;
    planned_.insert_or_assign(std::move(target), directory ? Kind::kDirectory : Kind::kOther);
  }
  return {};
}

Result<CopyTarget::Found> CopyTarget::Look(const std::string& path) {
  if (const auto found = planned_.find(path); found != planned_.end()) {
    return Found{.kind = found->second, .planned = true};
  }
  if (absent_ && (path == *absent_ || archive::IsBelow(path, *absent_))) return Found{};
  const Place place = TRY(cursor_.Look(path));
  if (!place.exists()) absent_ = path;
  return Found{.kind = KindOf(place.kind), .info = place.info()};
}

Result<void> CopyTarget::MakeDirectories(const std::string& path) {
  TRY(IndexPlanned());
  for (size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string part = path.substr(0, end);
    const Kind kind = TRY(Look(part)).kind;
    if (kind == Kind::kDirectory) continue;
    if (kind == Kind::kOther) {
      return Failure(Error::Impossible(
          "the destination: \"/" + archive::Printable(part) + "\" is no directory", ENOTDIR));
    }
    if (!made_item_) {
      made_item_ = static_cast<uint32_t>(plan_.items.size());
      plan_.items.emplace_back();
    }
    TRY(plan_.Add({.type = archive::EntryType::kDirectory,
                   .made = true,
                   .item = *made_item_,
                   .mode = 0755,
                   .uid = owner_.uid,
                   .gid = owner_.gid,
                   .mtime = now_,
                   .below = part}));
    TRY(IndexPlanned());
  }
  return {};
}

}  // namespace cay::build
