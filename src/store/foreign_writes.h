// Foreign writes: how a process that writes the database beside its server (`cay keys create
// --local`) tells the server, which would otherwise have to ask the database again before every
// request.
//
// The mark is the time of the last change of a file beside the database, to the nanosecond. The
// file has no content, so a full disk does not stop it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cay::store {

// After the commit. Makes the file when it is not there.
Result<void> LeaveForeignMark(const std::string& state_dir);

// 0: there is none.
int64_t ReadForeignMark(const std::string& state_dir);

}  // namespace cay::store
