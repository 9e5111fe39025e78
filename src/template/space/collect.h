// Removing what can be made again, or is nobody's, by its last use: the oldest first.
//
//   const CollectReport report = TRY(CollectSpace(store, {.at_least = 4 * kGiB}));
//   TRY(CollectSpace(store, {.unused_for = 30 days, .dry_run = true}));
//
// That is: layers that nobody has, templates that came because something stood on them or that Cay
// derived (Came), what builds keep for later ones, what cache mounts hold, and what was fetched and
// not unpacked. Never what a sandbox, a build or a pull uses at that moment; never what somebody
// made by hand, unless it is asked for; never a snapshot or a volume. Packages have a bound of
// their own (network.cache). Blocking. Any number of threads and processes may do it at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/space/space.h"
#include "template/store/template_store.h"

namespace cay::templates {

struct CollectOptions {
  // No more than is needed to free so much; nothing: all that may go.
  std::optional<Bytes> at_least{};
  Millis unused_for{};   // since the last use, within an hour
  bool by_hand = false;  // also templates that somebody made by hand, and nobody uses
  bool dry_run = false;
  // Asked when it is known what would go, unless nothing would; false: nothing goes. May be empty.
  std::function<Result<bool>(const std::vector<SpaceItem>& going, Bytes freed)> confirm{};
};

// As it is asked for.
struct PruneSpec {
  bool all = false;
  Millis older_than{};
  bool dry_run = false;
};
inline CollectOptions OptionsOf(const PruneSpec& spec) {
  return {.unused_for = spec.older_than, .by_hand = spec.all, .dry_run = spec.dry_run};
}

struct CollectedItem {
  SpaceKind kind = SpaceKind::kTemplates;
  std::string name;
  Bytes disk = 0;  // freed by it: with what it is the last to need
};

struct CollectReport {
  std::vector<CollectedItem> removed{};  // or that would be
  Bytes freed = 0;
  bool refused = false;  // by `confirm`
};

// kIllegalState while it cannot be known what sandboxes stand on: a record is damaged.
Result<CollectReport> CollectSpace(TemplateStore& store, const CollectOptions& options);

}  // namespace cay::templates
