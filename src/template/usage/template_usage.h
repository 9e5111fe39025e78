// What templates are made of, what they take on the disk, and which of them nobody uses.
//
//   const TemplateDetails details = TRY(InspectTemplate(store, "python:3.12-slim"));
//   const StoreUsage usage = TRY(MeasureStore(store));
//   const PruneReport report = TRY(PruneTemplates(store, {.unused_for = 7 days}));
//
// Bytes on the disk are those of the blocks that files have there, of a file with several names
// once. What a layer takes is measured when it is put into place. Blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/metadata/metadata.h"
#include "template/store/template_store.h"

namespace cay::templates {

struct LayerDetails {
  std::string id;
  std::string chain_id{};  // of an image's layer
  Bytes disk = 0;
  size_t templates = 1;      // of how many it is a layer
  bool is_cays_own = false;  // above those of an image: what every sandbox needs
};

struct TemplateDetails {
  Metadata metadata;
  std::vector<LayerDetails> layers{};  // the topmost first
  int64_t last_used_unix_ms = 0;       // when it was imported, where it was not used since
};

// Whether what layers take on the disk is looked at; otherwise it is 0.
enum class Measured : uint8_t { kNo, kYes };

// kNotFound; kInvalidArgument for `host`.
Result<TemplateDetails> InspectTemplate(TemplateStore& store, const std::string& name,
                                        Measured measured = Measured::kYes);

struct TemplateUsage {
  std::string name;
  Bytes own = 0;     // of layers that no other template has: what its removal frees
  Bytes shared = 0;  // of those that others have, too
  uint64_t layers = 0;
  int64_t last_used_unix_ms = 0;
  bool in_use = false;  // by a sandbox, or somebody who is about to make one
};

struct StoreUsage {
  std::vector<TemplateUsage> templates{};  // by name, without `host`
  Bytes layers = 0;                        // of all layers, each once
  Bytes unneeded = 0;  // of these, what no template has: of sandboxes, or waiting to be collected
  Bytes blobs = 0;     // of images on their way
  Bytes total = 0;     // of the whole directory
};
Result<StoreUsage> MeasureStore(TemplateStore& store);

// When it was used last, or came.
int64_t LastUse(const LayerStore& layers, const Metadata& metadata);
// By a sandbox (LayerStore::LayersOfSandboxes), or by somebody who holds it.
Result<bool> IsInUse(const LayerStore& layers, const Metadata& metadata,
                     const std::optional<std::set<std::string>>& of_sandboxes);

struct PruneOptions {
  Millis unused_for{};
  bool dry_run = false;
  // Whether a template stays however long it was not used, by its name. May be empty.
  std::function<bool(const std::string& name)> spares{};
  // Asked when it is known what would go, unless nothing would; false: nothing goes. May be empty.
  std::function<Result<bool>(const std::vector<TemplateUsage>& unused, Bytes freed)> confirm{};
};

struct PruneReport {
  std::vector<std::string> removed{};  // or that would be
  Bytes freed = 0;
};

// Removes the templates that were not used for that long (to within an hour). Never `host`, and
// never one that a sandbox stands on. kIllegalState while it cannot be known which those are: a
// sandbox's record is damaged.
Result<PruneReport> PruneTemplates(TemplateStore& store, const PruneOptions& options);

}  // namespace cay::templates
