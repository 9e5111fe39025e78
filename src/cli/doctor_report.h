// The two forms of `cay doctor`'s answer. Pure.
#pragma once

#include <string>

#include "cli/doctor_disk.h"
#include "engine/native/probe.h"
#include "engine/native/verdict.h"

namespace cay::cli {

// For people: one line a protection, with a mark, the reason and the command that mends it. `utf8`:
// the terminal can show check marks. `disk`: with a section on it.
std::string RenderDoctor(const engine::native::Facts& facts, const engine::native::Verdict& verdict,
                         bool utf8, const DiskReport* disk = nullptr);

// One JSON object, all keys stable.
std::string RenderDoctorJson(const engine::native::Facts& facts,
                             const engine::native::Verdict& verdict,
                             const DiskReport* disk = nullptr);

}  // namespace cay::cli
