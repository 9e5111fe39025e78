#include "template/space/make_room.h"

#include <algorithm>
#include <memory>

#include "base/names/owned_name.h"
#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "template/space/collect.h"
#include "template/space/space.h"
#include "template/space/space_map.h"

namespace cay::templates {
namespace {

constexpr size_t kMostNamed = 3;

// How much there is too much of, of the budget and of the disk.
Bytes TooMuch(const SpaceBudget& budget, Bytes used, const DiskRoom& room, Bytes need) {
  Bytes over = 0;
  if (budget.max_bytes > 0 && (need > budget.max_bytes || used > budget.max_bytes - need))
    over = used + need - budget.max_bytes;
  if (room.free < kHostReserve || room.free - kHostReserve < need)
    over = std::max(over, need + kHostReserve - room.free);
  return over;
}

// The largest of those that stay. What belongs to one owner is nobody else's to know by name.
std::string LargestUsers(const SpaceReport& report) {
  std::vector<SpaceItem> named;
  std::string sums;
  for (const SpaceRow& row : report.rows) {
    if (row.kind == SpaceKind::kScratch || row.disk <= row.reclaimable) continue;
    if (row.kind == SpaceKind::kTemplates) {
      for (const SpaceItem& item : row.items)
        if (!item.reclaimable && !ParseOwnedName(item.name)) named.push_back(item);
    }
    sums += (sums.empty() ? "" : ", ") + std::string(SpaceKindName(row.kind)) + " " +
            HumanBytes(row.disk - row.reclaimable);
  }
  std::ranges::sort(named, std::greater<>{}, &SpaceItem::disk);
  std::string text = sums.empty() ? "nothing that stays" : sums;
  for (size_t i = 0; i < std::min(kMostNamed, named.size()); ++i) {
    text += (i == 0 ? "; the largest templates: " : ", ") + named[i].name + " " +
            HumanBytes(named[i].disk);
  }
  return text;
}

Error NoRoom(const SpaceReport& report, Bytes need) {
  std::string what =
      "the budget of " + HumanBytes(report.budget.max_bytes) + " (templates.space) has no room" +
      (need > 0 ? " for " + HumanBytes(need) + " more" : "") + ": " + HumanBytes(report.used) +
      " are used, and what can be made again is removed. " +
      "By what stays: " + LargestUsers(report);
  return Error(ErrorCode::kResourceExhausted, Fault::kMachine, std::move(what))
      .WithRemedy(
          "look at it with cay system df -v; remove what is not needed with cay template prune, "
          "cay snapshots rm or cay volume rm; or raise templates.space");
}

struct Used {
  Bytes bytes = 0;
  DiskRoom room{};
};

Result<Used> Look(const TemplateStore& store, const SpaceBudget& budget) {
  Used used;
  used.room = TRY(DiskRoomOf(store.layers().state_dir()));
  if (budget.max_bytes == 0) return used;
  used.bytes = TRY(SpaceMap::Read(store)).total() + TRY(MeasureBeside(store.layers().state_dir()));
  return used;
}

}  // namespace

Result<void> MakeRoom(TemplateStore& store, Bytes need) {
  const SpaceBudget budget = store.budget();
  const Used used = TRY(Look(store, budget));
  const Bytes over = TooMuch(budget, used.bytes, used.room, need);
  if (over == 0) return {};
  const auto collected = CollectSpace(store, {.at_least = over});
  if (!collected) {
    LogWarning("no room is made: " + collected.error().ToString());
  } else if (collected->freed > 0) {
    LogInfo("made room: removed " + std::to_string(collected->removed.size()) +
            " things that can be made again, " + HumanBytes(collected->freed));
  }
  const Used left = TRY(Look(store, budget));
  if (budget.max_bytes > 0 && (need > budget.max_bytes || left.bytes > budget.max_bytes - need))
    return Failure(NoRoom(TRY(MeasureSpace(store)), need));
  return CheckHostReserve(left.room);
}

std::function<Result<void>(Bytes)> RoomCheck(TemplateStore& store) {
  // What is written meanwhile is measured with the rest.
  return [&store](Bytes /*written*/) { return MakeRoom(store, 0); };
}

Result<Bytes> KeepToBudget(TemplateStore& store) {
  const SpaceBudget budget = store.budget();
  Bytes freed = 0;
  if (budget.max_age > Millis(0))
    freed += TRY(CollectSpace(store, {.unused_for = budget.max_age})).freed;
  const Used used = TRY(Look(store, budget));
  const Bytes over = TooMuch(budget, used.bytes, used.room, 0);
  if (over > 0) freed += TRY(CollectSpace(store, {.at_least = over})).freed;
  return freed;
}

}  // namespace cay::templates
