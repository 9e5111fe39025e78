// Fields of what is said about space, each once (base/field.h): in the API and in `cay system df`
// and `cay system prune --json`.
#pragma once

#include <string_view>

#include "base/field.h"
#include "template/space/collect.h"
#include "template/space/space.h"

namespace cay::templates::fields {

using field::About;

struct SpaceItem {
  static constexpr std::string_view kSchema = "SpaceItem";
  static void Of(const templates::SpaceItem& item, auto& visit) {
    visit(About{"name"}, field::Text{}, item.name);
    visit(About{"disk_bytes"}, field::Number{}, item.disk);
    visit(About{.name = "last_used_at", .text = "null where that is not kept"}, field::Time{},
          item.last_used_unix_ms);
    visit(About{"in_use"}, field::Flag{}, item.in_use);
    visit(About{.name = "reclaimable", .text = "it can be made again, or is nobody's"},
          field::Flag{}, item.reclaimable);
  }
};

struct SpaceRow {
  static constexpr std::string_view kSchema = "SpaceRow";
  static void Of(const templates::SpaceRow& row, auto& visit) {
    visit(About{.name = "kind",
                .text = "templates, shared_layers, snapshots, build_cache, cache_mounts, "
                        "downloads, other_layers, packages, volumes, scratch"},
          field::Text{}, SpaceKindName(row.kind));
    visit(About{"count"}, field::Number{}, row.count);
    visit(About{.name = "in_use", .text = "of these"}, field::Number{}, row.in_use);
    visit(About{"disk_bytes"}, field::Number{}, row.disk);
    visit(About{.name = "reclaimable_bytes", .text = "what POST /api/system/prune frees of it"},
          field::Number{}, row.reclaimable);
    visit(About{.name = "items", .text = "the largest first; empty unless \"verbose\" is true"},
          field::Objects<SpaceItem>{}, row.items);
  }
};

struct Space {
  static constexpr std::string_view kSchema = "Space";
  static void Of(const SpaceReport& report, auto& visit) {
    visit(About{.name = "rows", .text = "one of each kind; each layer is in one of them"},
          field::Objects<SpaceRow>{}, report.rows);
    visit(About{.name = "used_bytes", .text = "of the budget: all but scratch"}, field::Number{},
          report.used);
    visit(About{"reclaimable_bytes"}, field::Number{}, report.reclaimable);
    visit(About{.name = "budget_bytes", .text = "templates.space; 0: what the disk has"},
          field::Number{}, report.budget.max_bytes);
    visit(About{.name = "budget_age", .text = "templates.space_age, in seconds; 0: any"},
          field::Number{}, report.budget.max_age.count() / 1000);
    visit(About{.name = "disk_size", .text = "of the state directory's filesystem"},
          field::Number{}, report.disk.size);
    visit(About{"disk_free"}, field::Number{}, report.disk.free);
  }
};

// A PruneSpec.
struct PruneSpec {
  static constexpr std::string_view kSchema = "PruneSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "all",
                .text = "also templates that somebody made by hand, and that nobody uses; never "
                        "snapshots and volumes"},
          field::Flag{}, spec.all);
    visit(About{.name = "older_than", .text = "only what was not used for so long"},
          field::Duration{}, spec.older_than);
    visit(About{.name = "dry_run", .text = "only say what would be removed"}, field::Flag{},
          spec.dry_run);
  }
};

struct RemovedItem {
  static constexpr std::string_view kSchema = "RemovedItem";
  static void Of(const CollectedItem& item, auto& visit) {
    visit(About{.name = "kind", .text = "as in SpaceRow"}, field::Text{}, SpaceKindName(item.kind));
    visit(About{"name"}, field::Text{}, item.name);
    visit(About{.name = "disk_bytes", .text = "freed by it, with what it was the last to need"},
          field::Number{}, item.disk);
  }
};

struct PruneReport {
  static constexpr std::string_view kSchema = "PruneReport";
  static void Of(const CollectReport& report, auto& visit) {
    visit(About{.name = "removed", .text = "or that would be"}, field::Objects<RemovedItem>{},
          report.removed);
    visit(About{"freed_bytes"}, field::Number{}, report.freed);
  }
};

}  // namespace cay::templates::fields
