#include "engine/diagnosis.h"

#include <algorithm>
#include <array>

namespace cay::engine {

std::string_view StatusName(ProtectionStatus status) {
  constexpr std::array<std::string_view, 4> kStatusNames = {"enforced", "partly", "not_enforced",
                                                            "blocks"};
  return kStatusNames.at(static_cast<size_t>(status));
}

std::string_view GroupName(ProtectionGroup group) {
  constexpr std::array<std::string_view, 3> kGroupNames = {"limits", "isolation", "networks"};
  return kGroupNames.at(static_cast<size_t>(group));
}

const Protection* Diagnosis::Find(std::string_view key) const {
  const auto found = std::ranges::find(protections, key, &Protection::key);
  return found == protections.end() ? nullptr : &*found;
}

}  // namespace cay::engine
