#include "engine/native/launcher/inventory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/os/file.h"
#include "base/os/listing.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/cgroup/cgroup_lease.h"
#include "engine/native/ids/id_processes.h"
#include "engine/native/ids/id_range.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/launcher/remains.h"
#include "engine/native/record/sandbox_dir.h"

namespace cay::engine::native {
namespace {

// A half-made image older than this belongs to nobody: making one takes well under a second.
constexpr time_t kStaleImageS = 60;

// Longer than any process takes to die that is not stuck in the kernel.
constexpr Millis kDeathPatience(10'000);

Stats ReadStats(CgroupTree& cgroups, const SandboxId& id) {
  const auto cgroup = cgroups.Open(id);
  if (!cgroup) return {};
  return cgroup->ReadStats().value_or(Stats());
}

State RecordedState(const Record& record) {
  if (record.stopped) return State::kStopped;
  return record.paused ? State::kPaused : State::kRunning;
}

// Nothing for what is no sandbox yet, or none any more.
std::optional<InventoryEntry> LookAt(const std::string& directory, const SandboxId& id) {
  const Standing standing = SandboxDir::StandingOf(directory, id);
  if (standing == Standing::kGarbage) return std::nullopt;
  const auto record = SandboxDir::ReadRecordOf(directory, id);
  InventoryEntry entry{.status = {.id = id, .state = State::kFailed}, .stats = {}};
  SandboxStatus& status = entry.status;
  if (record) {
    status = Describe(*record, RecordedState(*record));
    entry.scratch = record->scratch;
  } else {
    // It may have lost that as well; or it has been removed since.
    const auto made = SandboxDir::MadeAt(directory, id);
    if (!made && SandboxDir::StandingOf(directory, id) == Standing::kGarbage) return std::nullopt;
    status.created_unix_ms = made.value_or(0);
    status.damage = record.error().message();
    status.lifetime =
        standing == Standing::kEphemeral ? Lifetime::kEphemeral : Lifetime::kPersistent;
  }
  status.promised = standing == Standing::kKept || standing == Standing::kOrphaned;
  status.orphaned_unix_ms = SandboxDir::OrphanedSince(directory, id);
  entry.owned = SandboxDir::IsOwned(directory, id).value_or(false);
  return entry;
}

class Collector {
 public:
  Collector(const Paths& paths, CgroupTree& cgroups, std::optional<IdRangeAllocator> ids,
            const GarbageOptions& options)
      : paths_(paths),
        cgroups_(cgroups),
        ids_(std::move(ids)),
        dry_run_(options.dry_run),
        orphans_older_(options.orphans_older) {}

  Result<GarbageReport> Run() {
    for (const SandboxId& id : TRY(SandboxDir::List(paths_.sandboxes_dir()))) {
      const auto removed = CollectSandbox(id);
      if (!removed) report_.failures.push_back(id.text() + ": " + removed.error().message());
    }
    TRY(CollectCgroups());
    TRY(CollectIdRanges());
    TRY(CollectImages());
    report_.others = {{"cgroups", "cgroups", std::move(groups_)},
                      {"id_ranges", "uid ranges without a sandbox", id_ranges_},
                      {"scratch_images", "unfinished disk images", images_}};
    return std::move(report_);
  }

 private:
  bool Exists(const std::string& id) const {
    return ::access((paths_.sandboxes_dir() + "/" + id).c_str(), F_OK) == 0;
  }

  Result<void> CollectSandbox(const SandboxId& id) {
    const std::string directory = paths_.sandboxes_dir();
    if (TRY(SandboxDir::IsOwned(directory, id))) return {};
    Standing standing = SandboxDir::StandingOf(directory, id);
    if (!MayRemove(id, standing)) return {};
    if (!dry_run_) {
      auto dir = SandboxDir::Claim(directory, id);
      if (!dir) {
        const ErrorCode code = dir.error().code();
        const bool gone_or_taken = code == ErrorCode::kNotFound || code == ErrorCode::kUnavailable;
        return gone_or_taken ? Result<void>{} : Failure(std::move(dir).error());
      }
      // Again, with its lock held: until then somebody else could make, promise or adopt it.
      standing = SandboxDir::StandingOf(directory, id);
      if (!MayRemove(id, standing)) return {};
      TRY(Remove(id, standing, *std::move(dir)));
    }
    (standing == Standing::kOrphaned ? report_.orphans : report_.sandboxes).push_back(id.text());
    return {};
  }

  Result<void> Remove(const SandboxId& id, Standing standing, SandboxDir dir) {
    const bool led =
        TRY(EndUnowned(id, &dir.dir(), cgroups_, ids_ ? &*ids_ : nullptr, kDeathPatience));
    if (!led && standing == Standing::kOrphaned) return Failure(NothingLeadsToIt());
    return std::move(dir).Remove();
  }

  // Notes why not, where somebody might wonder.
  bool MayRemove(const SandboxId& id, Standing standing) {
    switch (standing) {
      case Standing::kGarbage:
      case Standing::kEphemeral:
        return true;
      case Standing::kOrphaned:
        if (IsOldOrphan(id)) return true;
        report_.kept.push_back("sandbox " + id.text() + ": it is orphaned");
        return false;
      case Standing::kUnpromised:
      case Standing::kKept:
        break;
    }
    const auto record = SandboxDir::ReadRecordOf(paths_.sandboxes_dir(), id);
    report_.kept.push_back("sandbox " + id.text() +
                           (record ? ", " + std::string(StateName(RecordedState(*record))) +
                                         ": for its server, which takes it over when it starts"
                                   : ": " + record.error().message()));
    return false;
  }

  bool IsOldOrphan(const SandboxId& id) const {
    const auto since = SandboxDir::OrphanedSince(paths_.sandboxes_dir(), id);
    return orphans_older_ && since && UnixMs() - *since >= orphans_older_->count();
  }

  // A launcher makes the directory before, and removes it after, everything else of a sandbox. So a
  // group without one is garbage; but one that somebody lives in belongs to a sandbox of another
  // state directory on this machine.
  Result<void> CollectCgroups() {
    for (const SandboxId& id : TRY(cgroups_.List())) {
      if (Exists(id.text())) continue;
      auto cgroup = cgroups_.Open(id);
      if (!cgroup) continue;
      const auto stats = cgroup->ReadStats();
      if (stats && stats->pids.value_or(0) > 0) {
        report_.kept.push_back("cgroup of " + id.text() + ": " + std::to_string(*stats->pids) +
                               " processes run in it, and it has no directory any more");
        continue;
      }
      if (!dry_run_) {
        const auto removed = cgroup->Remove(Millis(0));
        if (!removed && removed.error().sys_errno() == EBUSY) continue;
        if (!removed) {
          report_.failures.push_back("cgroup " + id.text() + ": " + removed.error().message());
          continue;
        }
      }
      groups_.push_back(id.text());
    }
    return {};
  }

  Result<void> CollectIdRanges() {
    if (!ids_) return {};
    std::vector<IdRangeAllocator::Taken> unowned = TRY(ids_->List());
    std::erase_if(unowned, [&](const auto& taken) { return Exists(taken.owner); });
    if (unowned.empty()) return {};
    const std::vector<RangeProcess> processes = TRY(FindRangeProcesses());
    for (const auto& [range, owner] : unowned) {
      const bool in_use = std::ranges::any_of(
          processes, [&](const auto& process) { return process.BelongsTo(range, owner); });
      if (in_use) {
        report_.failures.push_back("the uid range of " + owner +
                                   ", which has no directory any more: processes have it");
        continue;
      }
      if (!dry_run_) TRY(ids_->Free(range, owner));
      ++id_ranges_;
    }
    return {};
  }

  Result<void> CollectImages() {
    auto listing = Listing::Open(paths_.scratch_dir());
    if (!listing && listing.error().sys_errno() == ENOENT) return {};
    if (!listing) return Failure(std::move(listing).error());
    while (const dirent* entry = TRY(listing->Next())) {
      struct stat info{};
      if (!std::string_view(entry->d_name).starts_with("making-")) continue;
      if (::fstatat(listing->fd(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
      if (::time(nullptr) - info.st_mtime < kStaleImageS) continue;
      if (!dry_run_) TRY(RemoveTreeAt(listing->fd(), entry->d_name));
      ++images_;
    }
    return {};
  }

  const Paths& paths_;
  CgroupTree& cgroups_;
  std::optional<IdRangeAllocator> ids_;
  bool dry_run_;
  std::optional<Millis> orphans_older_;
  GarbageReport report_;
  std::vector<std::string> groups_;  // ids whose groups had no directory
  uint64_t id_ranges_ = 0;
  uint64_t images_ = 0;  // half-made
};

}  // namespace

Result<std::vector<InventoryEntry>> TakeInventory(const Paths& paths) {
  CgroupTree cgroups = TRY(CgroupTree::Discover(
      {.purpose = CgroupPurpose::kLook, .name = CgroupParentName(paths.state_dir)}));
  std::vector<InventoryEntry> entries;
  for (const SandboxId& id : TRY(SandboxDir::List(paths.sandboxes_dir()))) {
    auto entry = LookAt(paths.sandboxes_dir(), id);
    if (!entry) continue;  // being made or removed just now, or half of either: gc's
    entry->stats = ReadStats(cgroups, id);
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<std::vector<SandboxStatus>> ListStatuses(const Paths& paths) {
  std::vector<SandboxStatus> statuses;
  for (const SandboxId& id : TRY(SandboxDir::List(paths.sandboxes_dir()))) {
    if (auto entry = LookAt(paths.sandboxes_dir(), id))
      statuses.push_back(std::move(entry->status));
  }
  return statuses;
}

Result<std::vector<Elsewhere>> FindElsewhere(const Paths& paths) {
  if (::geteuid() != 0) return std::vector<Elsewhere>{};
  std::map<std::string, Elsewhere> found;
  for (const RangeProcess& process : TRY(FindRangeProcesses())) {
    if (process.sandbox.empty()) continue;
    if (::access((paths.sandboxes_dir() + "/" + process.sandbox).c_str(), F_OK) == 0) continue;
    Elsewhere& one =
        found.try_emplace(process.sandbox, process.sandbox, process.pid, 0).first->second;
    one.process = std::min(one.process, process.pid);
    ++one.processes;
  }
  std::vector<Elsewhere> list;
  for (auto& [id, one] : found) list.push_back(std::move(one));
  return list;
}

Result<GarbageReport> CollectGarbage(const Paths& paths, const GarbageOptions& options) {
  TRY(MakeDirectories(paths.sandboxes_dir(), 0700));
  CgroupLease lease = TRY(CgroupLease::Take(paths.state_dir));
  CgroupTree cgroups = TRY(CgroupTree::Discover({.name = CgroupParentName(paths.state_dir)}));
  std::optional<IdRangeAllocator> ids;
  if (::geteuid() == 0) ids = TRY(IdRangeAllocator::Open(paths.run_dir));
  auto report = Collector(paths, cgroups, std::move(ids), options).Run();
  std::move(lease).GiveBack(cgroups);
  return report;
}

}  // namespace cay::engine::native
