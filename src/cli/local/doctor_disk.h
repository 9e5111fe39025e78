// What `cay doctor` says of the state directory's disk: how much room there is, and how much of it
// sandboxes were promised.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/os/disk_room.h"
#include "base/os/paths.h"
#include "base/result.h"
#include "engine/survey.h"

namespace cay::cli {

struct DiskReport {
  DiskRoom room;
  Bytes promised = 0;      // sum of the disk limits of the sandboxes that have their files there
  uint64_t sandboxes = 0;  // how many those are

  bool full() const { return room.free < kHostReserve; }
  // Whether the sandboxes that have their files there can fill it together.
  bool over_committed() const { return promised > room.size; }
};

// `sandboxes`: all that have their directory there.
Result<DiskReport> LookAtDisk(const Paths& paths,
                              const std::vector<engine::InventoryEntry>& sandboxes);

// A section of the report, with a warning for each thing that is wrong.
std::string RenderDisk(const DiskReport& disk, bool utf8);
boost::json::object DiskJson(const DiskReport& disk);

}  // namespace cay::cli
