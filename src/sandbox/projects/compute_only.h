// ComputeOnly: takes everything from a process but computing, for a child that looks at hostile
// bytes which are in its memory already. What took it over could take memory within a bound, use
// two seconds of a processor, and write to one descriptor.
#pragma once

namespace cay::sandbox {

inline constexpr int kComputedFd = 3;

// `result` becomes kComputedFd, and everything else that is open is closed. Any system call but
// memory that is not executable, the end, and writing there is EPERM from then on; it dies with who
// forked it. False when something of that cannot be had: then it must not go on. For a process with
// one thread.
bool ComputeOnly(int result);

}  // namespace cay::sandbox
