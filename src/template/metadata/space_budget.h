// How much of the disk templates, what builds keep, volumes and packages may take together. It is a
// file of the store (templates/.budget), written by the server that knows its configuration, so
// that every program that uses the store keeps to it.
//
//   TRY(WriteBudget(store.layers().directory(), {.max_bytes = 40 * kGiB}));
//   const SpaceBudget budget = store.budget();
#pragma once

#include <string>

#include "base/result.h"
#include "base/units.h"

namespace cay::templates {

struct SpaceBudget {
  Bytes max_bytes = 0;  // 0: what the disk has
  Millis max_age{};     // of what can be made again, since its last use; 0: any
  bool operator==(const SpaceBudget&) const = default;
};

// Of none, and of what cannot be read: that of a SpaceBudget.
SpaceBudget ReadBudget(const std::string& templates_dir);
Result<void> WriteBudget(const std::string& templates_dir, const SpaceBudget& budget);

}  // namespace cay::templates
