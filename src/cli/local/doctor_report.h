// The two forms of `cay doctor`'s answer. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/local/doctor_disk.h"
#include "engine/diagnosis.h"
#include "engine/survey.h"

namespace cay::cli {

// A sandbox that needs a decision, and what can be done.
struct Concern {
  std::string sandbox;
  std::string what;
  std::string remedy;
};
std::vector<Concern> ConcernsOf(const std::vector<engine::InventoryEntry>& entries);

// What was found besides what the machine offers.
struct DoctorFindings {
  const DiskReport* disk = nullptr;  // null: it could not be looked at
  std::vector<Concern> concerns{};
};

// For people: one line a protection, with a mark, the reason and the command that mends it. `utf8`:
// the terminal can show check marks. `found`: with a section on what there is of it.
std::string RenderDoctor(const engine::Diagnosis& diagnosis, bool utf8,
                         const DoctorFindings& found = {});

// One JSON object, all keys stable.
std::string RenderDoctorJson(const engine::Diagnosis& diagnosis, const DoctorFindings& found = {});

}  // namespace cay::cli
