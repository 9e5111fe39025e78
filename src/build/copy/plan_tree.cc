#include "build/copy/plan_tree.h"

#include <algorithm>

#include "archive/directory_ends.h"
#include "archive/safe_path.h"

namespace cay::build {
namespace {

using archive::EntryType;
using archive::Printable;

constexpr mode_t kAllBits = 07777;
constexpr mode_t kSymlinkMode = 0777;

archive::Timestamp TimeOf(const timespec& time) {
  return {.seconds = time.tv_sec, .nanoseconds = static_cast<uint32_t>(time.tv_nsec)};
}

Failure Replaces(const std::string& target, std::string_view what, int why) {
  return Failure(Error::Impossible("\"/" + Printable(target) + "\" " + std::string(what), why));
}

}  // namespace

PlanEntry PlanTree::EntryOf(const std::string& below, const struct stat& info) const {
  const Owner owner = rules_.owner.value_or(plan_.items[item_].tree->has_owners()
                                                ? Owner{.uid = info.st_uid, .gid = info.st_gid}
                                                : Owner{});
  PlanEntry entry;
  entry.item = item_;
  entry.mode = info.st_mode & kAllBits;
  entry.uid = owner.uid;
  entry.gid = owner.gid;
  entry.mtime = TimeOf(info.st_mtim);
  entry.below = below;
  if (rules_.chmod) entry.mode = rules_.chmod->Apply(entry.mode, S_ISDIR(info.st_mode));
  return entry;
}

// A further name of a file that this item has already is a hard link.
bool PlanTree::FirstNameOf(const struct stat& info, PlanEntry& entry) {
  if (info.st_nlink < 2) return true;
  const auto [known, is_new] =
      names_.emplace(std::pair(info.st_dev, info.st_ino), plan_.entries.size());
  if (is_new) return true;
  entry.type = EntryType::kHardLink;
  entry.link = plan_.TargetOf(plan_.entries[known->second]);
  return false;
}

void PlanTree::SkipSpecial(const Place& place) {
  ++plan_.skipped_special;
  if (plan_.first_skipped.empty()) plan_.first_skipped = Printable(place.path);
}

Result<void> PlanTree::AddNode(const std::string& below, const Place& place) {
  PlanEntry entry = EntryOf(below, place.info());
  const std::string target = plan_.TargetOf(entry);
  if (TRY(target_.Look(target)).kind == CopyTarget::Kind::kDirectory) {
    return Replaces(target, "is a directory, and a file does not replace one", EISDIR);
  }
  if (place.kind == Place::Kind::kSymlink) {
    entry.type = EntryType::kSymlink;
    entry.mode = kSymlinkMode;
    entry.link = TRY(FileTree::LinkTarget(place));
  } else if (FirstNameOf(place.info(), entry)) {
    entry.size = static_cast<uint64_t>(place.info().st_size);
    TRY(plan_.CountNames(place.info().st_nlink > 1 ? sizeof(Pending) : 0));
  }
  return plan_.Add(std::move(entry));
}

Result<void> PlanTree::AddDirectory(const std::string& below, const struct stat& info) {
  PlanEntry entry = EntryOf(below, info);
  entry.type = EntryType::kDirectory;
  const std::string target = plan_.TargetOf(entry);
  if (TRY(target_.Look(target)).kind == CopyTarget::Kind::kOther) {
    return Replaces(target, "is no directory, and a directory does not replace one", ENOTDIR);
  }
  return plan_.Add(std::move(entry));
}

// Where one is there already, it keeps its owner.
Result<void> PlanTree::AddPendingOne(const Pending& pending) {
  PlanEntry entry = EntryOf(pending.below, pending.info);
  const CopyTarget::Found found = TRY(target_.Look(plan_.TargetOf(entry)));
  if (found.kind != CopyTarget::Kind::kDirectory) {
    return AddDirectory(pending.below, pending.info);
  }
  entry.mode = pending.info.st_mode & kAllBits;
  if (found.planned || entry.mode == (found.info.st_mode & kAllBits)) return {};
  entry.type = EntryType::kDirectory;
  entry.made = true;
  entry.uid = found.info.st_uid;
  entry.gid = found.info.st_gid;
  entry.mtime = TimeOf(found.info.st_mtim);
  return plan_.Add(std::move(entry));
}

Result<void> PlanTree::AddPending(std::string_view below) {
  while (!pending_.empty() && !archive::IsBelow(below, pending_.back().below)) {
    pending_.pop_back();
  }
  for (Pending& pending : pending_) {
    if (!pending.added) TRY(AddPendingOne(pending));
    pending.added = true;
  }
  return {};
}

bool PlanTree::Includes(std::string_view below) const {
  if (include_ == nullptr) return true;
  const std::vector<bool> matches = include_->MatchesOfEach(below);
  return std::find(matches.begin(), matches.end(), true) != matches.end();
}

Result<void> PlanTree::Take(TreeWalk& walk, const TreeWalk::Step& step) {
  TRY(plan_.Step());
  const Place& place = step.place;
  const bool matches = Includes(step.below);
  const bool included = matches && !rules_.excludes.Ignores(step.below) &&
                        !plan_.items[item_].tree->Ignores(place.path);
  if (place.kind == Place::Kind::kDirectory) {
    if (included) {
      TRY(AddPending(step.below));
      return AddDirectory(step.below, place.info());
    }
    if (rules_.excludes.SkipsWhole(step.below) ||
        (!matches && !include_->MayMatchBelow(step.below))) {
      walk.Skip();
      return {};
    }
    while (!pending_.empty() && !archive::IsBelow(step.below, pending_.back().below)) {
      pending_.pop_back();
    }
    pending_.push_back({.below = step.below, .info = place.info()});
    return {};
  }
  if (!included) return {};
  if (place.kind == Place::Kind::kOther) {
    SkipSpecial(place);
    return {};
  }
  TRY(AddPending(step.below));
  return AddNode(step.below, place);
}

Result<void> PlanTree::AddBelowTop() {
  const PlanItem& item = plan_.items[item_];
  TreeWalk walk(*item.tree, item.source_top);
  while (const std::optional<TreeWalk::Step> step = TRY(walk.Next())) TRY(Take(walk, *step));
  return {};
}

}  // namespace cay::build
