#include <array>
#include <cstdio>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

const Probe* Find(std::string_view name) {
  const std::array<std::span<const Probe>, 17> groups = {
      FilesystemProbes(),  HostFileProbes(),  KernelProbes(),    MountProbes(),
      NamespaceProbes(),   NetworkProbes(),   PrivilegeProbes(), ProcProbes(),
      ResourceProbes(),    SecretProbes(),    SharingProbes(),   SpentProbes(),
      SpentSocketProbes(), NeighbourProbes(), QuestionProbes(),  PolicyProbes(),
      RootProbes()};
  for (const auto& group : groups) {
    for (const Probe& probe : group) {
      if (probe.name == name) return &probe;
    }
  }
  return nullptr;
}

}  // namespace
}  // namespace cay::attacks

int main(int argc, char** argv) {
  const auto* probe = argc < 2 ? nullptr : cay::attacks::Find(argv[1]);
  if (probe == nullptr) {
    std::fputs("attack-victim: there is no such probe\n", stderr);
    return 2;
  }
  const auto verdict = probe->run({argv + 2, static_cast<size_t>(argc - 2)});
  std::printf("%s\n", verdict.c_str());
  return 0;
}
