// SpaceMap: what lies in the store of templates at a moment, who needs each layer, and what could
// be made again: what the report (space.h) and the collection (collect.h) are made of.
//
// What a layer takes was measured when it was put into place; only what is being made is walked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/metadata/metadata.h"
#include "template/store/built_layers.h"
#include "template/store/template_store.h"

namespace cay::templates {

struct SpaceMap {
  struct OfTemplate {
    std::shared_ptr<const Metadata> metadata;
    Bytes file = 0;  // of the metadata
    int64_t last_used_unix_ms = 0;
    bool in_use = false;
    // A snapshot is by hand, whatever it says.
    bool is_snapshot() const { return !metadata->info.sandbox.empty(); }
    // Cay may remove it by itself.
    bool can_be_made_again() const {
      return !in_use && !is_snapshot() && metadata->info.came != Came::kByHand;
    }
  };
  struct Download {
    std::string name;  // of the file
    Bytes disk = 0;
    int64_t last_used_unix_ms = 0;
  };
  struct Layer {
    Bytes disk = 0;
    size_t templates = 0;  // of how many it is one
    size_t snapshots = 0;  // of these
    size_t steps = 0;      // of how many records of builds
    size_t mounts = 0;     // of how many cache mounts
    bool is_of_host = false;
    bool is_pinned = false;  // by a sandbox, by somebody who holds it, or as the host's
  };

  // Damaged metadata is an error.
  static Result<SpaceMap> Read(const TemplateStore& store);

  std::vector<OfTemplate> templates{};
  std::vector<KeptBuilt> built{};
  std::vector<Download> downloads{};
  std::map<std::string, Layer> layers{};
  bool downloads_in_use = false;  // by a pull
  bool sandboxes_known = true;    // false: what they stand on is not, and no layer can go
  Bytes partials = 0;             // what is being made, or was when its maker died

  Bytes layer_bytes() const;
  Bytes total() const;
};

}  // namespace cay::templates
