#include "sandbox/rules/volume_rules.h"

#include <algorithm>

#include "base/names/owned_name.h"
#include "sandbox/fields.h"

namespace cay::sandbox {

Result<void> CheckVolumeUses(const std::vector<VolumeUse>& uses) {
  constexpr size_t kMost = fields::UsedVolume::kMost;
  if (uses.size() > kMost) {
    return Failure(
        Error::Impossible("a sandbox has at most " + std::to_string(kMost) + " volumes"));
  }
  for (const VolumeUse& use : uses) {
    if (!IsShortName(use.name)) {
      return Failure(Error::Invalid("not the name of a volume: \"" + use.name.substr(0, 80) + "\"")
                         .WithRemedy("name one of your own, as cay volume ls shows them"));
    }
    if (!use.path.starts_with('/') || use.path.contains('\0')) {
      return Failure(Error::Invalid("not a place for a volume: \"" + use.path.substr(0, 160) + "\"")
                         .WithRemedy("name an absolute path, as in /data"));
    }
    if (std::ranges::count(uses, use.name, &VolumeUse::name) > 1)
      return Failure(Error::Impossible("volume " + use.name + " is named twice"));
    if (std::ranges::count(uses, use.path, &VolumeUse::path) > 1)
      return Failure(Error::Impossible("two volumes are to be at " + use.path.substr(0, 160)));
  }
  return {};
}

}  // namespace cay::sandbox
