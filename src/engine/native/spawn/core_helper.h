// CoreHelper: a crash inside must not start the host's core dump helper, the program that a
// kernel.core_pattern with "|" names. The kernel runs it as the host's root, outside of the
// sandbox, on memory that the sandbox chose.
//
// A process whose RLIMIT_CORE is 1 starts none; with 0 it does (fs/coredump.c). So commands have a
// hard limit of 1, which takes one of 1 or more where Cay is started: many hosts give their users
// 0. A pattern with "@" (from Linux 6.16 on: a socket of a program that takes the dumps) asks for
// no limit at all: beside it nothing is contained.
#pragma once

#include <sys/resource.h>

#include <string>
#include <string_view>

namespace cay::engine::native {

// What lets sandboxes start all the same.
inline constexpr std::string_view kCoreHelperRemedy =
    "sysctl -w kernel.core_pattern=core; or for a pattern with \"|\" ulimit -Hc 1 or more where "
    "Cay "
    "is started (LimitCORE=infinity of a systemd unit)";

// Raises this process's hard limit to 1 where it is 0 and may be raised (CAP_SYS_RESOURCE).
void AllowCoreLimit();

// Why a crash inside would start the helper, as things stand for this process; empty: it would not.
// `can_raise`: AllowCoreLimit is called before anything is started.
std::string WhyCoreHelperRuns(bool can_raise);

// The same of what was read. Pure.
std::string WhyCoreHelperRuns(rlim_t hard_limit, std::string_view core_pattern);

}  // namespace cay::engine::native
