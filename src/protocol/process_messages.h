// Messages about processes: start, attach, list, signal, resize, stdin, leftovers.
//
// Output and its sequence numbers. Both streams of a process are kept in one ring, in the order in
// which they were read. The sequence number of a piece of output is the count of bytes, of both
// streams together, that came before it; so a reader who has a piece [seq, seq+n) continues with
// Attach{from_seq = seq + n}. What the ring no longer holds is a Gap [from, to). A process with a
// terminal has only stdout.
//
// stdin. The host may have kStdinWindowBytes on the way; each kStdinAck tells how many bytes in all
// the process's pipe has taken. So stdin that is not read never blocks a signal behind it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"

namespace cay::protocol {

inline constexpr size_t kMaxArguments = 16'384;
inline constexpr size_t kMaxArgumentBytes = 131'071;  // MAX_ARG_STRLEN of execve(2) without its NUL
inline constexpr size_t kMaxEnvironment = 4096;
inline constexpr uint64_t kMinRingBytes = 4096;
inline constexpr uint64_t kMaxRingBytes = 16 * 1024 * 1024;
inline constexpr uint64_t kDefaultRingBytes = 1024 * 1024;
inline constexpr uint64_t kStdinWindowBytes = 256 * 1024;
inline constexpr uint32_t kMaxSignal = 64;
inline constexpr size_t kMaxLeftovers = 64;  // named; all are counted
inline constexpr size_t kMaxRunning = 256;   // processes at a time
// Of each process one that waits for its end and one that reads it; the others for all else.
inline constexpr size_t kMaxConnections = 2 * kMaxRunning + 256;
inline constexpr size_t kMaxEnded = 64;                        // that are remembered
inline constexpr size_t kMaxListed = kMaxRunning + kMaxEnded;  // processes in a listing
inline constexpr size_t kMaxListedArguments = 16;              // of each
inline constexpr size_t kMaxListedArgumentBytes = 64;
// The first version whose guests know account_env, shell and make_directory.
inline constexpr uint32_t kStartDefaultsSince = 2;
// … and `passing`.
inline constexpr uint32_t kPassingSince = 3;
// Variables that say who the user is: see StartRequest::account_env.
inline constexpr std::array<std::string_view, 4> kAccountVariables = {"HOME", "USER", "LOGNAME",
                                                                      "SHELL"};

struct TerminalSize {
  uint16_t rows = 24;
  uint16_t columns = 80;
  bool operator==(const TerminalSize&) const = default;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.rows);
    codec.Field(2, self.columns);
  }
};

// What happens when output comes faster than it is taken.
enum class Overflow : uint8_t {
  kBlock,  // while a follower is attached that lags a whole ring, the process waits. Without a
           // follower the oldest output is overwritten.
  kDrop,   // the oldest output is overwritten; a follower is told by a Gap
};

enum class RlimitKind : uint8_t {
  kCpuSeconds,
  kFileSize,
  kData,
  kStack,
  kOpenFiles,
  kAddressSpace,
  kMemlock,
};

// Sets the soft and the hard limit alike, except for kCpuSeconds: SIGKILL comes a second after
// SIGXCPU. A value over the hard limit that the sandbox has is kLimitTooHigh.
struct Rlimit {
  RlimitKind kind = RlimitKind::kOpenFiles;
  uint64_t value = 0;
  bool operator==(const Rlimit&) const = default;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.kind, RlimitKind::kMemlock);
    codec.Field(2, self.value);
  }
};

// kStart.
struct StartRequest {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH of `env` when it has no slash
  std::vector<std::string> env;   // "NAME=value"; nothing is added
  std::string cwd = "/";
  std::string user;                         // "" is uid 1000, gid 1000
  bool stdin_open = false;                  // otherwise it is /dev/null
  std::optional<TerminalSize> terminal;     // then stdin is the terminal, whatever stdin_open says
  std::vector<Rlimit> rlimits;              // beside what the sandbox has; and never a core file
  uint64_t ring_bytes = kDefaultRingBytes;  // kMinRingBytes … kMaxRingBytes
  Overflow overflow = Overflow::kBlock;
  // Those of kAccountVariables that neither client nor template chose: they become what the
  // sandbox's /etc/passwd has for `user`, whatever `env` has. For the user "" they stay as `env`
  // has them.
  std::vector<std::string> account_env;
  bool shell = false;  // argv is {"/bin/sh", "-c", line}: bash executes it where there is one
  bool make_directory = false;  // a `cwd` that is not there is made, with its parents
  // It is not listed, and ends with the connection that started it, as does what it left behind:
  // nothing of it is kept then.
  bool passing = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.argv, kMaxArguments, kMaxArgumentBytes);
    codec.Field(2, self.env, kMaxEnvironment, kMaxArgumentBytes);
    codec.Field(3, self.cwd, kMaxPathBytes);
    codec.Field(4, self.user, kMaxUserBytes);
    codec.Field(5, self.stdin_open);
    codec.Field(6, self.terminal);
    codec.Field(7, self.rlimits, 16);
    codec.Field(8, self.ring_bytes, kMaxRingBytes);
    codec.Field(9, self.overflow, Overflow::kDrop);
    codec.FieldSince(kStartDefaultsSince, 10, self.account_env, kAccountVariables.size(),
                     size_t{16});
    codec.FieldSince(kStartDefaultsSince, 11, self.shell);
    codec.FieldSince(kStartDefaultsSince, 12, self.make_directory);
    codec.FieldSince(kPassingSince, 13, self.passing);
  }
};

// kAttach: the output from `from_seq` on, and then the end. A from_seq beyond what there is is
// kInvalidArgument.
struct AttachRequest {
  uint64_t process = 0;
  uint64_t from_seq = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.process);
    codec.Field(2, self.from_seq);
  }
};

inline constexpr size_t kMaxShellBytes = 64;
// What executes a line of StartRequest::shell: the first that is there, or else /bin/sh.
inline constexpr std::array<std::string_view, 3> kLineShells = {"/bin/bash", "/usr/bin/bash",
                                                                "/usr/local/bin/bash"};

// kStarted: to kStart when it runs, to kAttach when it is known.
struct Started {
  uint64_t process = 0;  // the name of the process in every request; never used twice
  int32_t pid = 0;       // what code inside the sandbox knows it by; of a finished one, was
  std::string shell{};   // what executes the line of StartRequest::shell; "" without one
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.process);
    codec.Field(2, self.pid);
    codec.FieldSince(kStartDefaultsSince, 3, self.shell, kMaxShellBytes);
  }
};

struct Gap {
  uint64_t from = 0;
  uint64_t to = 0;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.from);
    codec.Field(2, self.to);
  }
};

// kStdinAck. `closed`: nothing more will be taken, the process closed its end or ended.
struct StdinAck {
  uint64_t taken = 0;  // bytes since the connection's first
  bool closed = false;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.taken);
    codec.Field(2, self.closed);
  }
};

// kExited: once the process has ended and its output is complete. A start that failed is kError.
struct Exited {
  int32_t exit_code = 0;  // when signal is 0
  uint32_t signal = 0;
  bool core_dumped = false;
  uint64_t cpu_us = 0;         // user and system, with all it waited for
  uint64_t max_rss_bytes = 0;  // of the largest process among them
  uint64_t end_seq = 0;        // of its output
  bool output_cut = false;     // something it left behind still held its output open
  uint64_t leftover_count = 0;
  std::vector<int32_t> leftovers;  // pids of processes that it left behind, the first of them
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.exit_code);
    codec.Field(2, self.signal, kMaxSignal);
    codec.Field(3, self.core_dumped);
    codec.Field(4, self.cpu_us);
    codec.Field(5, self.max_rss_bytes);
    codec.Field(6, self.end_seq);
    codec.Field(7, self.output_cut);
    codec.Field(8, self.leftover_count);
    codec.Field(9, self.leftovers, kMaxLeftovers);
  }
};

struct ProcessInfo {
  uint64_t process = 0;
  int32_t pid = 0;
  std::vector<std::string> argv;  // the first kMaxListedArguments, each cut
  bool terminal = false;
  bool stdin_open = false;
  int64_t started_unix_ms = 0;
  uint64_t first_seq = 0;  // the oldest output that the ring holds
  uint64_t end_seq = 0;
  std::optional<Exited> exited;  // when it has ended
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.process);
    codec.Field(2, self.pid);
    codec.Field(3, self.argv, kMaxListedArguments, kMaxListedArgumentBytes);
    codec.Field(4, self.terminal);
    codec.Field(5, self.stdin_open);
    codec.Field(6, self.started_unix_ms);
    codec.Field(7, self.first_seq);
    codec.Field(8, self.end_seq);
    codec.Field(9, self.exited);
  }
};

// kProcessList, oldest first.
struct ProcessList {
  std::vector<ProcessInfo> processes;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.processes, kMaxListed); }
};

enum class SignalTarget : uint8_t {
  kGroup,   // the process group of the command; of a terminal, the group in its foreground
  kLeader,  // only the process that was started
};

// kSignal. On the connection of a process, `process` is 0: that one.
struct SignalRequest {
  uint64_t process = 0;
  uint32_t signal = 0;
  SignalTarget target = SignalTarget::kGroup;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.process);
    codec.Field(2, self.signal, kMaxSignal);
    codec.Field(3, self.target, SignalTarget::kLeader);
  }
};

// kResize. On the connection of a process, `process` is 0: that one.
struct ResizeRequest {
  uint64_t process = 0;
  TerminalSize size;
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.process);
    codec.Field(2, self.size);
  }
};

// kOpenStdin, kKillLeftovers, kWait: the process they are about.
struct ProcessRequest {
  uint64_t process = 0;
  static void Fields(auto& self, auto& codec) { codec.Field(1, self.process); }
};

// kLeftoversKilled.
struct LeftoversKilled {
  uint64_t killed = 0;     // processes
  uint64_t remaining = 0;  // still there after five seconds
  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.killed);
    codec.Field(2, self.remaining);
  }
};

}  // namespace cay::protocol
