// ComputeOnly: takes everything except computing from a process, for a child that looks at hostile
// bytes that are in its memory already. An attacker who took it over could take memory within a
// bound, use two seconds of a processor, and write to one descriptor.
#pragma once

namespace cay::sandbox {

inline constexpr int kComputedFd = 3;

// `result` becomes kComputedFd, and everything else that is open is closed. From then on any system
// call gives EPERM, except for memory that is not executable, for exiting, and for writing there;
// it dies with its parent. False when something of that is not possible: then it must not go on.
// For a process with one thread.
bool ComputeOnly(int result);

}  // namespace cay::sandbox
