// Names of projects and of the files in them, as they go into paths of the host. What a client
// sends is checked here and nowhere else; a name that passes is one component of a path. Pure,
// except for the digest.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::sandbox {

// kInvalidArgument unless it is [A-Za-z0-9][A-Za-z0-9._-]{0,127}.
Result<void> CheckProjectName(std::string_view project);

// kInvalidArgument for "", ".", "..", what has a slash, a control character or no UTF-8, and more
// than 255 bytes (NAME_MAX).
Result<void> CheckFileName(std::string_view name);

// One component for an owner, whatever it is: itself when it is [a-z0-9_-]{1,64}, otherwise "=" and
// its digest, which no other owner has.
Result<std::string> OwnerComponent(std::string_view owner);

// "report (2).txt" for ("report.txt", 2). The ending stays; a name that would be too long loses
// letters before it.
std::string NumberedName(std::string_view name, uint64_t number);

// `name`, or the first of its numbered names that is not taken.
std::string FreeName(const std::string& name, const std::function<bool(const std::string&)>& taken);

}  // namespace cay::sandbox
