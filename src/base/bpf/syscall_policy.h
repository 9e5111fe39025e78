// A system-call policy as a value: what each call of x86-64 gets, depending on its arguments.
//
//   constexpr Policy Example() {
//     Policy policy(Action::Errno(ENOSYS));
//     policy.Add({"io", "plain input and output", Action::Allow(), {SYS_read, SYS_write}});
//     policy.Add({"ioctl", "TIOCSTI types for the terminal's owner", Action::Allow(), {SYS_ioctl},
//                 {{{Low32(1, TIOCSTI)}, Action::Errno(EPERM)}}});
//     return policy;
//   }
//
// It knows nothing of BPF (bpf_compiler.h does) and does no I/O; everything is usable in constant
// expressions. A call named in two groups is a defect, which makes building the policy fail.
#pragma once

#include <linux/seccomp.h>
#include <sys/socket.h>

#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace cay::seccomp {

// What the kernel does with a call: seccomp(2), SECCOMP_RET_*.
class Action {
 public:
  static constexpr Action Allow() { return Action(SECCOMP_RET_ALLOW); }
  static constexpr Action Errno(int sys_errno) {
    return Action(SECCOMP_RET_ERRNO | (static_cast<uint32_t>(sys_errno) & SECCOMP_RET_DATA));
  }
  static constexpr Action KillProcess() { return Action(SECCOMP_RET_KILL_PROCESS); }
  // The call waits for whoever holds the filter's listener; seccomp_unotify(2). Any action but
  // Allow of another filter goes before it.
  static constexpr Action Ask() { return Action(SECCOMP_RET_USER_NOTIF); }

  // The filter's return value.
  constexpr uint32_t value() const { return value_; }
  constexpr bool operator==(const Action&) const = default;

 private:
  explicit constexpr Action(uint32_t value) : value_(value) {}
  uint32_t value_;
};

// (argument & mask) == value, or != when `negated`.
//
// Which bits the kernel looks at matters: `ioctl` takes an unsigned int, so a filter that compares
// all 64 bits with TIOCSTI is walked around with a bit set in the upper half (CVE-2019-10063 in
// Flatpak, CVE-2019-7303 in snapd). Hence Low32 for every argument that the kernel declares int.
struct Condition {
  uint8_t argument;  // 0 to 5
  uint64_t mask;
  uint64_t value;
  bool negated = false;

  constexpr bool Holds(uint64_t actual) const { return ((actual & mask) == value) != negated; }
  constexpr bool operator==(const Condition&) const = default;
};

constexpr Condition Low32(uint8_t argument, uint64_t value) {
  return {argument, 0xffff'ffff, value & 0xffff'ffff};
}
constexpr Condition Masked(uint8_t argument, uint64_t mask, uint64_t value) {
  return {argument, mask, value};
}
// The argument is AF_INET or AF_INET6, which are one bit apart.
constexpr Condition OfInternet(uint8_t argument) {
  constexpr uint64_t kApart = 8;
  static_assert((AF_INET | kApart) == AF_INET6);
  return Masked(argument, 0xffff'ffff & ~kApart, AF_INET);
}
constexpr Condition Not(Condition condition) {
  condition.negated = !condition.negated;
  return condition;
}

// When all conditions hold, this action.
struct Rule {
  std::vector<Condition> all;
  Action then;
  constexpr bool operator==(const Rule&) const = default;
};

// Calls that are treated alike, and why.
struct Group {
  std::string_view name;
  std::string_view why;
  Action otherwise;  // when no rule matches
  std::vector<uint32_t> calls;
  std::vector<Rule> rules = {};  // the first that matches decides
};

class Policy {
 public:
  explicit constexpr Policy(Action unknown) : unknown_(unknown) {}

  constexpr void Add(Group group) {
    for (const uint32_t number : group.calls) {
      if (Find(number) != nullptr) throw std::logic_error("a system call is in two groups");
    }
    groups_.push_back(std::move(group));
  }

  // For every call that no group names.
  constexpr Action unknown() const { return unknown_; }
  constexpr const std::vector<Group>& groups() const { return groups_; }

  // The group that names this call, or null.
  constexpr const Group* Find(uint32_t number) const {
    for (const Group& group : groups_) {
      for (const uint32_t call : group.calls) {
        if (call == number) return &group;
      }
    }
    return nullptr;
  }

 private:
  Action unknown_;
  std::vector<Group> groups_;
};

// x32 calls carry this bit; they reach the same kernel functions past the argument checks.
inline constexpr uint32_t kX32SyscallBit = 0x4000'0000;
// What a tracer writes to skip a call; not an ABI, so it gets the unknown calls' answer.
inline constexpr uint32_t kSkippedCall = 0xffff'ffff;

// The reference meaning of a policy: what the compiled program must answer.
constexpr Action Evaluate(const Policy& policy, const seccomp_data& call, uint32_t native_arch) {
  if (call.arch != native_arch) return Action::KillProcess();
  const uint32_t number = static_cast<uint32_t>(call.nr);
  if (number == kSkippedCall) return policy.unknown();
  if (number >= kX32SyscallBit) return Action::KillProcess();
  const Group* group = policy.Find(number);
  if (group == nullptr) return policy.unknown();
  for (const Rule& rule : group->rules) {
    bool holds = true;
    for (const Condition& condition : rule.all) {
      holds = holds && condition.Holds(call.args[condition.argument]);
    }
    if (holds) return rule.then;
  }
  return group->otherwise;
}

}  // namespace cay::seccomp
