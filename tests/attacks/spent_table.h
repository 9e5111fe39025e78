// What the machine has once for everybody, and what no cgroup is charged for: each row is something
// that a default sandbox could spend, and what bounds its share. docs/security-model.md has the
// same table in words.
//
// A row becomes a test (spent_attacks_test.cc): a default sandbox takes as much of it as it is
// given and holds it, while a neighbour is created and connects, locks and opens files, and so does
// the host. Adding a row is a line in spent_table.cc, a probe in victim/, and a line in the
// document.
#pragma once

#include <cstdint>
#include <span>

#include "attack_table.h"

namespace cay::attacks {

// A number of the host's that shows what is spent, for all of the machine.
enum class Counter : uint8_t {
  kNone,
  kTcpPages,   // net.ipv4.tcp_mem: /proc/net/sockstat
  kUdpPages,   // net.ipv4.udp_mem
  kOpenFiles,  // fs.file-max: /proc/sys/fs/file-nr
  kKernelKiB,  // what the kernel holds and cannot give back: /proc/meminfo
};

struct Spent {
  const char* name;      // UpperCamelCase: the name of the test
  const char* what;      // the first column in docs/security-model.md
  const char* bound;     // the second
  const char* probe;     // of victim/, as in attack_table.h
  const char* expected;  // what its verdict says before " holding N"
  long most;             // of N
  Counter counter = Counter::kNone;
  long most_counted = 0;  // how much the counter may rise; others on the machine move it too
  Caller caller = Caller::kBoth;
};

std::span<const Spent> SpentTable();

}  // namespace cay::attacks
