// Probes: one small attack each, tried from inside a sandbox. attack-victim NAME [ARGUMENT…] runs
// one and writes one line, its verdict, which attack_table.cc compares with what must happen:
//
//   refused EPERM     the kernel said no
//   killed SIGSYS     the child that tried was killed
//   through …         it worked: outside of a sandbox it is what the same probe says
//   …                 anything else that a probe has to report
//
// The victim is static and uses nothing of Cay's: it runs in any root filesystem.
#pragma once

#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace cay::attacks {

using Arguments = std::span<char* const>;
using Verdict = std::string;

struct Probe {
  std::string_view name;
  Verdict (*run)(Arguments arguments);
};

Verdict Through(std::string_view detail = {});
Verdict Refused(int sys_errno = errno);

// Of a system call: through unless it gave -1.
Verdict OfCall(long result);

// Runs `body` in a child, so that what kills or changes it does not end the probe; its verdict, or
// "killed SIGNAL". A child that is still there after `seconds` is "stuck".
Verdict InChild(const std::function<Verdict()>& body, unsigned seconds = 5);

// Opens, and then reads or writes a little.
Verdict TryRead(const std::string& path);
Verdict TryWrite(const std::string& path, std::string_view value);

// The first megabyte of a file; empty when it cannot be read.
std::string ReadSome(const std::string& path);

// Writes a line to stdout before the verdict: "ready" for a test that waits.
void Announce(std::string_view line);

// Reads stdin to its end: how a test holds a probe in the middle.
void WaitForEndOfInput();

std::span<const Probe> FilesystemProbes();
std::span<const Probe> HostFileProbes();
std::span<const Probe> KernelProbes();
std::span<const Probe> MountProbes();
std::span<const Probe> NamespaceProbes();
std::span<const Probe> NeighbourProbes();
std::span<const Probe> NetworkProbes();
std::span<const Probe> PolicyProbes();
std::span<const Probe> PrivilegeProbes();
std::span<const Probe> ProcProbes();
std::span<const Probe> QuestionProbes();
std::span<const Probe> ResourceProbes();
std::span<const Probe> RootProbes();
std::span<const Probe> SecretProbes();
std::span<const Probe> SharingProbes();
std::span<const Probe> SpentProbes();
std::span<const Probe> SpentSocketProbes();

}  // namespace cay::attacks
