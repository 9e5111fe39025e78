// What a command's end says about its sandbox: whether the machine's limits, and not the command,
// were to blame. One rule for the server and for `cay run`. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"
#include "protocol/messages.h"
#include "protocol/process_messages.h"

namespace cay {

inline bool Failed(const protocol::Exited& exited) {
  return exited.signal != 0 || exited.exit_code != 0;
}

// Whether it ended by SIGKILL, or a shell says so of a command that it ran.
inline bool Killed(const protocol::Exited& exited) {
  constexpr uint32_t kSigKill = 9;
  return exited.signal == kSigKill || exited.exit_code == 128 + kSigKill;
}

// Nothing more can be written to the sandbox's disk of `limit` bytes. ext4 refuses a write that
// needs more than it has with some hundred KiB left: what it would need for the metadata of what is
// still to be written out.
bool DiskIsFull(const protocol::Info& info, Bytes limit);

// The kernel killed a process for want of the sandbox's memory while the command ran: by its own
// count, before and now. Counts that are not known say nothing.
inline bool RanOutOfMemory(uint64_t oom_kills_before, std::optional<uint64_t> oom_kills_now) {
  return oom_kills_now.value_or(0) > oom_kills_before;
}

// It grew a file over the limit on file sizes, and was ended for it: by SIGXFSZ, or a shell says so
// of what it ran. A command that ignores the signal gets EFBIG instead, and is not told apart from
// others that fail.
inline bool FileSizeExceeded(uint32_t signal, int32_t exit_code) {
  constexpr uint32_t kSigXfsz = 25;
  return signal == kSigXfsz || exit_code == 128 + static_cast<int32_t>(kSigXfsz);
}

// It used up its processor time: it was ended by SIGXCPU, or a shell says so of what it ran; or it
// went on and was killed with the `limit` (0: none) in it, of which it has used `cpu_ms`, with what
// it waited for.
inline bool CpuTimeExceeded(uint32_t signal, int32_t exit_code, uint64_t cpu_ms, Millis limit) {
  constexpr uint32_t kSigKill = 9;
  constexpr uint32_t kSigXcpu = 24;
  if (signal == kSigXcpu || exit_code == 128 + static_cast<int32_t>(kSigXcpu)) return true;
  return signal == kSigKill && limit > Millis(0) && cpu_ms >= static_cast<uint64_t>(limit.count());
}

// "SIGKILL"; "SIGRTMIN+3" for the real-time ones.
std::string SignalText(uint32_t signal);

}  // namespace cay
