#include "engine/volume_users.h"

namespace cay::engine {

std::vector<volume::VolumeUser> VolumeUsersOf(const std::vector<SandboxStatus>& sandboxes) {
  std::vector<volume::VolumeUser> users;
  for (const SandboxStatus& sandbox : sandboxes) {
    if (sandbox.lifetime == Lifetime::kEphemeral) continue;
    for (const VolumeMount& mount : sandbox.volumes) {
      users.push_back({.directory = mount.directory,
                       .sandbox = sandbox.id.text(),
                       .read_only = mount.read_only});
    }
  }
  return users;
}

}  // namespace cay::engine
