// Filters of a command's output that outlive it: `exec > >(grep x)` leaves a grep that still reads
// what the command wrote, and writes it to where the command's output goes.
//
// A process is plainly a filter when it holds the output open for writing, its standard input is a
// pipe, and that pipe comes to its end by itself: no process has it open for writing, or only
// filters of the same kind do. A daemon that was left behind is none: its input is no pipe, or one
// that something feeds. The command's own input is not counted: a process that inherited it need
// not read it.
//
// docs/decisions/0029. It is a guess about code that may want to mislead. What rests on it is how
// long the command's own client waits, and that has its bounds (process.h).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::guest {

// A pipe or a FIFO, from whichever of its ends.
struct PipeNumber {
  uint64_t device = 0;
  uint64_t inode = 0;
  auto operator<=>(const PipeNumber&) const = default;
};
// Nothing when it is none.
std::optional<PipeNumber> NumberOfPipe(const Fd& end);
// Bytes that wait in it, or in a terminal, to be read; 0 when that cannot be known.
size_t UnreadBytes(const Fd& reading_end);

// A command's stdio, by which it is found again among what other processes have open.
struct OutputEnds {
  std::vector<PipeNumber> pipes;     // its stdout and stderr
  std::optional<uint64_t> terminal;  // the device number of the slave
  std::optional<PipeNumber> input;   // its stdin, when that was a pipe
};

struct FiltersLeft {
  bool any = false;
  uint64_t unread = 0;  // bytes that they have not read yet
};

inline constexpr size_t kMaxDescriptorsSeen = 4096;  // that takes some 20 ms

// Looks at every process except this one, by /proc; where they have more than `most` descriptors,
// no filter is found.
Result<FiltersLeft> FindOutputFilters(const Fd& proc, const OutputEnds& output,
                                      size_t most = kMaxDescriptorsSeen);

}  // namespace cay::guest
