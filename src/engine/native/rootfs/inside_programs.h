// Inside programs: `sudo` and `su` of a sandbox with root's privileges (guest/sudo/client.h).
//
// They are a layer below all of the template's, so nothing of them is in what a sandbox writes, and
// a template's own directories stay what they are. A template whose /usr/local is a link, or that
// has programs of these names there, has not these.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::engine::native {

// The tree that has them, usr/local/bin/{sudo,su}, in `directory`; it is made where it is not there
// for this `program`. What others have made stays: a running sandbox may stand on it.
Result<std::string> MakeInsidePrograms(const std::string& directory, std::string_view program);

// What of the tree is a layer of the overlay at `target`: "" of none.
std::string InsideProgramsOf(const std::string& tree, std::string_view target, bool usr_is_apart);

}  // namespace cay::engine::native
