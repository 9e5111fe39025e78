// The attacks that one probe in one ordinary sandbox can make: what is tried, and what must come of
// it. Adding one is a line in attack_table.cc (and a probe in victim/ if there is none that does
// it).
#pragma once

#include <span>
#include <string_view>

namespace cay::attacks {

// Who calls `cay run`.
enum class Caller : unsigned char { kBoth, kRoot };

struct Attack {
  const char* name;      // UpperCamelCase: the name of the test
  const char* probe;     // the probe of victim/ and its arguments, separated by spaces
  const char* expected;  // verdicts that are right, separated by '|'; a final '*' matches any rest
  // What the probe says as root outside of a sandbox, in namespaces of its own: proof that it would
  // notice. Empty: not tried there, because it would do harm or has no meaning there.
  const char* outside = "";
  const char* options = "";  // of `cay run`
  Caller caller = Caller::kBoth;
  // What it must say as id 0 of a sandbox with the privileges of root. Empty: the same.
  const char* with_root = "";
};

std::span<const Attack> FilesystemAttacks();
std::span<const Attack> HostFileAttacks();
std::span<const Attack> KernelAttacks();
std::span<const Attack> NetworkAttacks();
std::span<const Attack> PrivilegeAttacks();
std::span<const Attack> ProcAttacks();
std::span<const Attack> QuestionAttacks();
std::span<const Attack> ResourceAttacks();

// Whether `verdict` is one of `expected`.
bool Matches(std::string_view verdict, std::string_view expected);

}  // namespace cay::attacks
