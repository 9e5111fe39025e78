#include "engine/native/seccomp/bpf_evaluator.h"

#include <linux/bpf_common.h>

#include <cstring>

namespace cay::engine::native {
namespace {

Result<bool> Compare(uint16_t code, uint32_t a, uint32_t k) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == k;
    case BPF_JGE:
      return a >= k;
    case BPF_JGT:
      return a > k;
    case BPF_JSET:
      return (a & k) != 0;
    default:
      return Failure(Error::Invalid("an unknown jump"));
  }
}

}  // namespace

Result<Verdict> RunFilter(std::span<const sock_filter> program, const seccomp_data& call) {
  uint32_t accumulator = 0;
  uint32_t steps = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    ++steps;
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (instruction.k % 4 != 0 || instruction.k > sizeof call - 4) {
          return Failure(Error::Invalid("a load outside the call's data"));
        }
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + instruction.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= instruction.k;
        break;
      case BPF_RET | BPF_K:
        return Verdict{instruction.k, steps};
      case BPF_JMP | BPF_JA:
        at += instruction.k;
        break;
      default:
        if (BPF_CLASS(instruction.code) != BPF_JMP || BPF_SRC(instruction.code) != BPF_K) {
          return Failure(Error::Invalid("an unknown instruction"));
        }
        at += TRY(Compare(instruction.code, accumulator, instruction.k)) ? instruction.jt
                                                                         : instruction.jf;
    }
  }
  return Failure(Error::Invalid("the program ends without a return"));
}

}  // namespace cay::engine::native
