#include "cli/local/doctor_disk.h"

#include <boost/json/array.hpp>

#include "cli/frame/console.h"

namespace cay::cli {
namespace {

struct Warning {
  std::string text;
  std::string remedy;
};

std::vector<Warning> WarningsOf(const DiskReport& disk) {
  std::vector<Warning> warnings;
  if (disk.full()) {
    warnings.push_back({"less than the " + FormatBytes(kHostReserve) +
                            " that the machine keeps for itself is free: nothing new is started, "
                            "and soon nothing can be written",
                        "destroy sandboxes (cay rm), or free some space"});
  }
  if (disk.over_committed()) {
    warnings.push_back(
        {"sandboxes are promised more than the whole disk: together they can fill it",
         "set smaller disk limits, or limits.disk_committed = 1 in the configuration"});
  }
  return warnings;
}

}  // namespace

Result<DiskReport> LookAtDisk(const Paths& paths,
                              const std::vector<engine::InventoryEntry>& sandboxes) {
  DiskReport disk{.room = TRY(DiskRoomOf(paths.state_dir))};
  for (const engine::InventoryEntry& entry : sandboxes) {
    if (entry.scratch != engine::Scratch::kDisk) continue;
    disk.promised += entry.status.limits.disk;
    ++disk.sandboxes;
  }
  return disk;
}

std::string RenderDisk(const DiskReport& disk, bool utf8) {
  std::string text =
      "DISK\n" + FormatTable({{"  room", HumanBytes(disk.room.free) + " of " +
                                             HumanBytes(disk.room.size) + " free"},
                              {"  promised", HumanBytes(disk.promised) + " to " +
                                                 std::to_string(disk.sandboxes) + " sandboxes"}});
  for (const Warning& warning : WarningsOf(disk)) {
    text.append("  ").append(utf8 ? "‼ " : "! ").append(warning.text);
    text.append("\n      mend it: ").append(warning.remedy).push_back('\n');
  }
  return text;
}

boost::json::object DiskJson(const DiskReport& disk) {
  boost::json::array warnings;
  for (const Warning& warning : WarningsOf(disk)) {
    warnings.push_back(boost::json::object{{"what", warning.text}, {"remedy", warning.remedy}});
  }
  return {{"size", disk.room.size},
          {"free", disk.room.free},
          {"promised", disk.promised},
          {"sandboxes", disk.sandboxes},
          {"warnings", warnings}};
}

}  // namespace cay::cli
