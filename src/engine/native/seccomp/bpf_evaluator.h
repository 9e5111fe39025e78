// Runs a classic BPF program as seccomp would, in user space: what makes filters testable without
// installing them. Only the instructions that seccomp(2) accepts are known; for tests.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>

#include "base/result.h"

namespace cay::engine::native {

struct Verdict {
  uint32_t action;  // SECCOMP_RET_* with its data
  uint32_t steps;   // instructions executed
};

// kInvalidArgument for a program that the kernel would refuse on this path: a jump or load outside,
// an unknown instruction, an end without a return.
Result<Verdict> RunFilter(std::span<const sock_filter> program, const seccomp_data& call);

}  // namespace cay::engine::native
