#include "engine/native/launcher/volume_users.h"

#include <algorithm>

#include "engine/native/record/sandbox_dir.h"
#include "volume/volume_dir.h"

namespace cay::engine::native {
namespace {

// What is garbage has nothing any more, and neither has the sandbox of a `cay run` that is gone.
bool HasWhatItHad(const std::string& sandboxes_dir, const SandboxId& id) {
  switch (SandboxDir::StandingOf(sandboxes_dir, id)) {
    case Standing::kGarbage:
      return false;
    case Standing::kEphemeral:
      return SandboxDir::IsOwned(sandboxes_dir, id).value_or(false);
    case Standing::kUnpromised:
    case Standing::kKept:
    case Standing::kOrphaned:
      break;
  }
  return true;
}

Error InUse(const SandboxId& user, const VolumeMount& used, const VolumeMount& asked) {
  const std::string what = used.read_only ? " reads it" : " has it";
  return Error(ErrorCode::kIllegalState, Fault::kCaller,
               "volume " + volume::NameOfDirectory(asked.directory) + " is in use: sandbox " +
                   user.text() + what)
      .WithRemedy(used.read_only ? "ask for it read-only, or destroy that sandbox"
                                 : "destroy that sandbox, or have both read only");
}

}  // namespace

Result<std::vector<Fd>> ClaimVolumes(const std::string& sandboxes_dir,
                                     std::vector<VolumeMount> volumes) {
  std::vector<Fd> locks;
  if (volumes.empty()) return locks;
  // In one order, so that nobody waits for one who waits.
  std::ranges::sort(volumes, {}, &VolumeMount::directory);
  for (const VolumeMount& volume : volumes)
    locks.push_back(TRY(volume::LockVolume(volume.directory)));
  for (const SandboxId& id : TRY(SandboxDir::List(sandboxes_dir))) {
    const auto record = SandboxDir::ReadRecordOf(sandboxes_dir, id);
    // Whose volumes cannot be read is kept from mounting, or from being mounted over, by its locks.
    if (!record || record->request.volumes.empty()) continue;
    if (!HasWhatItHad(sandboxes_dir, id)) continue;
    for (const VolumeMount& used : record->request.volumes) {
      for (const VolumeMount& asked : volumes) {
        if (!volume::IsSameVolume(used.directory, asked.directory) ||
            (used.read_only && asked.read_only))
          continue;
        return Failure(InUse(id, used, asked));
      }
    }
  }
  return locks;
}

}  // namespace cay::engine::native
