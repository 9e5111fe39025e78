// The guest's program, which is embedded in cay, as something that can be executed and not be
// changed.
#pragma once

#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace cay::engine::native {

std::string_view GuestProgram();

// A memfd with the program, sealed against every change, even through /proc/1/exe (CVE-2019-5736).
Result<Fd> MakeGuestImage();

}  // namespace cay::engine::native
