// What builds left behind for later ones: which layer a step made, and what a cache mount holds.
//
//   TRY(KeepBuilt(store, {.key = key, .layers = {layer.id()}, .bytes = bytes}));
//   if (const auto built = TRY(FindBuilt(store, key))) …            // a later build
//
// A record is a file (.built/NAME, named by its key); the time of the file is when it was last
// found. Its layers stay while it is there (LayerStore::Collect): within the bounds of PruneBuilt.
// A record that cannot be read is none: it is a cache. The calls are thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "template/store/layer_store.h"
#include "template/template.h"

namespace cay::templates {

struct BuiltRecord {
  std::string key;                  // "sha256:…" of all that it depends on, its owner included
  std::vector<std::string> layers;  // their ids, the topmost first; may be none
  std::string diff_id{};            // of the topmost, as an image has it; empty: not known
  bool is_cache_mount = false;      // what a --mount=type=cache holds
  Bytes bytes = 0;                  // of content
  uint64_t entries = 0;
  ImportNotes notes{};
};

// A record and its layers, which stay while `hold` lives.
struct Built {
  BuiltRecord record;
  std::shared_ptr<const void> hold;
};

// Nothing where there is none, or where one of its layers is gone. It counts as a use.
Result<std::optional<Built>> FindBuilt(const LayerStore& store, const std::string& key);
// Its layers are held by the caller. Takes the place of the one before.
Result<void> KeepBuilt(const LayerStore& store, const BuiltRecord& record);

struct KeptBuilt {
  BuiltRecord record;
  int64_t last_used_unix_ms = 0;
  Bytes disk = 0;  // of the record itself
};
Result<std::vector<KeptBuilt>> ListBuilt(const std::string& templates_dir);

struct BuiltBounds {
  Bytes max_bytes = 0;  // of content, of all records together
  Millis max_age{};     // since the last use; 0: any
};
struct PrunedBuilt {
  uint64_t records = 0;
  Bytes bytes = 0;
};
// Forgets one; its layers go with the next Collect, unless something else needs them. With the
// lock of the store.
Result<void> ForgetBuilt(const LayerStore& store, const std::string& key);
// Forgets the records that were not used for longest until the bounds hold. Their layers go with
// the next Collect, unless something else needs them.
Result<PrunedBuilt> PruneBuilt(LayerStore& store, const BuiltBounds& bounds);

}  // namespace cay::templates
