// Compiles a Policy to the classic BPF program that seccomp(2) takes.
//
//   constexpr auto kProgram = ...;   // see seccomp_filter.cc
//   std::vector<sock_filter> program = CompileFilter(policy);
//
// Shape: the architecture is checked first (anything but x86-64 is killed), then a balanced binary
// search over ranges of call numbers with the same treatment, x32 numbers being one such range.
// A call with rules ends in a block that tests its arguments. The kernel runs a new filter once for
// every call number to learn which are always allowed (seccomp_cache_prepare in kernel/seccomp.c),
// so the depth of the search, not only the length of the program, is the cost of installing it.
//
// The program is built backwards: jumps of classic BPF only go forwards, and by at most 255
// instructions when they are conditional, so a jump's target must be known before the jump is
// written.
#pragma once

#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "base/bpf/syscall_policy.h"

namespace cay::seccomp {

namespace bpf_internal {

// Distance of an instruction from the program's end; the last one is at 1.
using Place = size_t;

// Instructions in reverse order.
class Assembler {
 public:
  constexpr Place Push(uint16_t code, uint32_t k, uint8_t jt = 0, uint8_t jf = 0) {
    reversed_.push_back({code, jt, jf, k});
    return reversed_.size();
  }

  // A return of this action that a conditional jump from the next instructions can reach.
  constexpr Place Return(Action action) {
    for (Known& known : returns_) {
      if (known.action != action) continue;
      if (reversed_.size() - known.place > kNear) known.place = PushReturn(action);
      return known.place;
    }
    const Place place = PushReturn(action);
    returns_.push_back({action, place});
    return place;
  }

  // if (A op k) goto yes; else goto no;
  constexpr Place Branch(uint16_t op, uint32_t k, Place yes, Place no) {
    no = Reachable(no);
    yes = Reachable(yes);
    return Push(BPF_JMP | op | BPF_K, k, Offset(yes), Offset(no));
  }

  constexpr Place Load(size_t offset) {
    return Push(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
  }

  // Makes what is pushed next fall through to `place`.
  constexpr void Continue(Place place) {
    if (place != reversed_.size()) PushJump(place);
  }

  constexpr std::vector<sock_filter> Finish() && {
    std::reverse(reversed_.begin(), reversed_.end());
    if (reversed_.size() > BPF_MAXINSNS) throw std::length_error("the filter is too long");
    return std::move(reversed_);
  }

 private:
  struct Known {
    Action action;
    Place place;
  };

  // Room for the two long jumps that a branch may need.
  static constexpr size_t kNear = 253;

  constexpr Place PushReturn(Action action) { return Push(BPF_RET | BPF_K, action.value()); }
  constexpr Place PushJump(Place place) {
    return Push(BPF_JMP | BPF_JA, static_cast<uint32_t>(reversed_.size() - place));
  }
  constexpr Place Reachable(Place place) {
    return reversed_.size() - place > kNear ? PushJump(place) : place;
  }
  constexpr uint8_t Offset(Place place) const {
    return static_cast<uint8_t>(reversed_.size() - place);
  }

  std::vector<sock_filter> reversed_;
  std::vector<Known> returns_;
};

// Call numbers from `first` up to the next range's first.
struct Range {
  uint32_t first;
  Action otherwise;
  const std::vector<Rule>* rules;  // null: none

  constexpr bool SameTreatment(const Range& other) const {
    const bool plain = rules == nullptr && other.rules == nullptr;
    const bool same_rules = rules != nullptr && other.rules != nullptr && *rules == *other.rules;
    return otherwise == other.otherwise && (plain || same_rules);
  }
};

constexpr std::vector<Range> RangesOf(const Policy& policy) {
  std::vector<Range> calls;
  for (const Group& group : policy.groups()) {
    for (const uint32_t number : group.calls) {
      calls.push_back({number, group.otherwise, group.rules.empty() ? nullptr : &group.rules});
    }
  }
  std::sort(calls.begin(), calls.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });

  std::vector<Range> ranges;
  const auto append = [&ranges](const Range& range) {
    if (ranges.empty() || !ranges.back().SameTreatment(range)) ranges.push_back(range);
  };
  uint32_t next = 0;
  for (const Range& call : calls) {
    if (call.first > next) append({next, policy.unknown(), nullptr});
    append(call);
    next = call.first + 1;
  }
  append({next, policy.unknown(), nullptr});
  append({kX32SyscallBit, Action::KillProcess(), nullptr});
  append({kSkippedCall, policy.unknown(), nullptr});
  return ranges;
}

// The place of a test of one condition. Loads the halves of the argument that the mask looks at.
constexpr Place CompileCondition(Assembler& out, const Condition& condition, Place holds,
                                 Place fails) {
  if (condition.negated) std::swap(holds, fails);
  const size_t low = offsetof(seccomp_data, args) + size_t{8} * condition.argument;
  const auto half = [&](size_t offset, uint32_t mask, uint32_t value, Place yes) {
    out.Branch(BPF_JEQ, value, yes, fails);
    if (mask != 0xffff'ffff) out.Push(BPF_ALU | BPF_AND | BPF_K, mask);
    return out.Load(offset);
  };
  Place place = half(low, static_cast<uint32_t>(condition.mask),
                     static_cast<uint32_t>(condition.value), holds);
  if ((condition.mask >> 32) != 0) {
    place = half(low + 4, static_cast<uint32_t>(condition.mask >> 32),
                 static_cast<uint32_t>(condition.value >> 32), place);
  }
  return place;
}

// Whether the two rules differ only in the value that their last condition wants, and that
// condition can be tested by one comparison.
constexpr bool SameButValue(const Rule& one, const Rule& other) {
  const size_t size = one.all.size();
  if (size == 0 || size != other.all.size() || one.then != other.then) return false;
  if (!std::equal(one.all.begin(), one.all.end() - 1, other.all.begin())) return false;
  const Condition& last = one.all.back();
  return !last.negated && (last.mask >> 32) == 0 && last.argument == other.all.back().argument &&
         last.mask == other.all.back().mask && !other.all.back().negated;
}

// The place of a test of rules[begin, end), of which each is SameButValue as the next: what they
// share is tested once.
constexpr Place CompileAlike(Assembler& out, const std::vector<Rule>& rules, size_t begin,
                             size_t end, Place next) {
  const std::vector<Condition>& all = rules[begin].all;
  Place place = out.Return(rules[begin].then);
  if (end - begin > 1) {
    Place fails = next;
    for (size_t i = end; i-- > begin;) {
      const Place holds = out.Return(rules[begin].then);
      fails = out.Branch(BPF_JEQ, static_cast<uint32_t>(rules[i].all.back().value), holds, fails);
    }
    const Condition& last = all.back();
    if (last.mask != 0xffff'ffff) {
      out.Push(BPF_ALU | BPF_AND | BPF_K, static_cast<uint32_t>(last.mask));
    }
    place = out.Load(offsetof(seccomp_data, args) + size_t{8} * last.argument);
  } else if (!all.empty()) {
    place = CompileCondition(out, all.back(), place, next);
  }
  for (size_t i = all.size(); i-- > 1;) place = CompileCondition(out, all[i - 1], place, next);
  return place;
}

constexpr Place CompileRules(Assembler& out, const std::vector<Rule>& rules, Action otherwise) {
  Place next = out.Return(otherwise);
  for (size_t end = rules.size(); end > 0;) {
    size_t begin = end - 1;
    while (begin > 0 && SameButValue(rules[begin - 1], rules[begin])) --begin;
    next = CompileAlike(out, rules, begin, end, next);
    end = begin;
  }
  return next;
}

constexpr Place CompileSearch(Assembler& out, const std::vector<Range>& ranges, size_t begin,
                              size_t end) {
  if (end - begin == 1) {
    const Range& range = ranges[begin];
    return range.rules == nullptr ? out.Return(range.otherwise)
                                  : CompileRules(out, *range.rules, range.otherwise);
  }
  const size_t middle = begin + (end - begin) / 2;
  const Place high = CompileSearch(out, ranges, middle, end);
  const Place low = CompileSearch(out, ranges, begin, middle);
  return out.Branch(BPF_JGE, ranges[middle].first, high, low);
}

}  // namespace bpf_internal

constexpr std::vector<sock_filter> CompileFilter(const Policy& policy) {
  bpf_internal::Assembler out;
  const std::vector<bpf_internal::Range> ranges = bpf_internal::RangesOf(policy);
  out.Continue(bpf_internal::CompileSearch(out, ranges, 0, ranges.size()));
  const bpf_internal::Place native = out.Load(offsetof(seccomp_data, nr));
  const bpf_internal::Place foreign = out.Return(Action::KillProcess());
  out.Branch(BPF_JEQ, AUDIT_ARCH_X86_64, native, foreign);
  out.Load(offsetof(seccomp_data, arch));
  return std::move(out).Finish();
}

}  // namespace cay::seccomp
