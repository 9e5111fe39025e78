// Fields of what templates are made of, of what they take on the disk, and of the removal of unused
// ones, each once (base/field.h): for the API's reader, its writers and its schemas,
// and for the commands.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/field.h"
#include "template/template_fields.h"
#include "template/usage/told_template.h"

namespace cay::templates::fields {

struct LayerOfTemplate {
  static constexpr std::string_view kSchema = "LayerOfTemplate";
  struct Told {
    const LayerDetails& layer;
    bool measured;
  };
  static void Of(const Told& told, auto& visit) {
    const LayerDetails& layer = told.layer;
    visit(About{"id"}, field::Text{}, layer.id);
    visit(About{.name = "chain_id", .text = "of an image's layer, by which others share it"},
          field::Text{},
          layer.chain_id.empty() ? std::nullopt : std::optional<std::string_view>(layer.chain_id));
    visit(About{.name = "templates", .text = "of how many it is a layer"}, field::Number{},
          layer.templates);
    visit(About{.name = "of_cay", .text = "it holds what every sandbox needs, and no image has"},
          field::Flag{}, layer.is_cays_own);
    visit(About{.name = "disk_bytes", .text = "where sizes are asked for", .sometimes = true},
          field::Number{}, told.measured ? std::optional(layer.disk) : std::nullopt);
  }
};

// A ToldTemplate.
struct TemplateDetails {
  static constexpr std::string_view kSchema = "TemplateDetails";
  static constexpr std::string_view kText = "a template, with what it is made of";
  static void Of(const ToldTemplate& told, auto& visit) {
    Template::Of(told.info, visit);
    visit(About{.name = "owner", .text = "whose own it is; empty: everybody's"}, field::Text{},
          told.owner);
    visit(About{.name = "reference", .text = "of the image that it is; empty: it has none"},
          field::Text{}, told.reference);
    visit(About{.name = "platform", .text = "of the image"}, field::Text{}, told.platform);
    visit(About{.name = "created", .text = "as the image says it"}, field::Text{}, told.created);
    visit(About{.name = "last_used_at",
                .text = "known to within an hour; its import, where it was not used since"},
          field::Time{}, told.last_used_unix_ms);
    visit(About{.name = "used_by",
                .text = "ids of sandboxes that the caller may see and that were made from it, the "
                        "newest first, at most a thousand"},
          field::Texts{}, told.used_by);
    std::vector<LayerOfTemplate::Told> chain;
    for (const LayerDetails& layer : told.layers) chain.push_back({layer, told.measured});
    visit(About{.name = "chain", .text = "its layers, the topmost first; of host there are none"},
          field::Objects<LayerOfTemplate>{}, chain);
    visit(About{.name = "image", .text = "its configuration, as the OCI image-spec has it"},
          field::Own{}, told.image ? std::optional<std::string_view>(*told.image) : std::nullopt);
  }
};

struct TemplateUsage {
  static constexpr std::string_view kSchema = "TemplateUsage";
  static void Of(const templates::TemplateUsage& usage, auto& visit) {
    visit(About{"name"}, field::Text{}, usage.name);
    visit(About{.name = "own_bytes", .text = "of layers that no other template has"},
          field::Number{}, usage.own);
    visit(About{.name = "shared_bytes", .text = "of layers that others have, too"}, field::Number{},
          usage.shared);
    visit(About{"layers"}, field::Number{}, usage.layers);
    visit(About{.name = "last_used_at", .text = "known to within an hour"}, field::Time{},
          usage.last_used_unix_ms);
    visit(About{.name = "in_use", .text = "by a sandbox, or somebody who is about to make one"},
          field::Flag{}, usage.in_use);
  }
};

// A ToldUsage.
struct StoreUsage {
  static constexpr std::string_view kSchema = "TemplatesUsage";
  static void Of(const ToldUsage& told, auto& visit) {
    const templates::StoreUsage& usage = told.usage;
    visit(About{"templates"}, field::Objects<TemplateUsage>{}, usage.templates);
    Sum(visit, told, "layers_bytes", "of all layers, each once", usage.layers);
    Sum(visit, told, "unneeded_bytes",
        "of these, what no template has: of sandboxes, or waiting to be collected", usage.unneeded);
    Sum(visit, told, "fetched_bytes", "of images on their way", usage.blobs);
    Sum(visit, told, "total_bytes", "of all that templates take", usage.total);
  }

 private:
  static void Sum(auto& visit, const ToldUsage& told, std::string_view name, std::string_view text,
                  Bytes bytes) {
    visit(About{.name = name, .text = text, .sometimes = true}, field::Number{},
          told.sums ? std::optional(bytes) : std::nullopt);
  }
};

struct TemplatePruneSpec {
  static constexpr std::string_view kSchema = "TemplatePruneSpec";
  static void Of(auto& spec, auto& visit) {
    visit(About{.name = "unused_for",
                .text = "only those that were not used for this long; left out: seven days"},
          field::Duration{}, spec.unused_for);
    visit(About{.name = "dry_run", .text = "only say what would be removed"}, field::Flag{},
          spec.dry_run);
    visit(About{.name = "of_owners",
                .text = "owners' own, too: snapshots, and what was built for them"},
          field::Flag{}, spec.of_owners);
  }
};

// A ToldPrune.
struct TemplatePruneReport {
  static constexpr std::string_view kSchema = "TemplatePruneReport";
  static void Of(const ToldPrune& told, auto& visit) {
    visit(About{"dry_run"}, field::Flag{}, told.dry_run);
    visit(About{.name = "removed", .text = "names, or what would be removed"}, field::Texts{},
          told.report.removed);
    visit(About{.name = "freed_bytes", .text = "or what would be freed"}, field::Number{},
          told.report.freed);
  }
};

}  // namespace cay::templates::fields
