// The guest's program, as it becomes a sandbox's PID 1: a function of this same program, or the
// program that is embedded in cay, executed from a file that cannot be changed.
#pragma once

#include <optional>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/guest_main.h"

namespace cay::engine::native {

std::string_view GuestProgram();

// A memfd with the program, sealed against every change, even through /proc/1/exe (CVE-2019-5736).
Result<Fd> MakeGuestImage();

// One of the two is there.
struct GuestEntry {
  GuestMain run = nullptr;
  std::optional<Fd> image;
};

}  // namespace cay::engine::native
