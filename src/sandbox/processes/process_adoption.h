// What a server does with the processes that an earlier one left: those that run are looked after
// again, with the deadlines they had; those that ended meanwhile get their results; those of which
// nothing is known any more are lost, and say so.
#pragma once

#include "base/result.h"
#include "sandbox/processes/process_book.h"
#include "sandbox/processes/process_supervisor.h"

namespace cay::sandbox {

// Asks all guests at once; those that do not answer within kAdoptionPatience are asked again by the
// supervisor.
inline constexpr Millis kAdoptionPatience{5000};
Result<void> AdoptProcesses(ProcessBook& book, ProcessSupervisor& supervisor);

}  // namespace cay::sandbox
