// Snapshots: what a sandbox wrote, with what it stands on, becomes a template.
//
//   SnapshotDraft draft = TRY(store.DraftSnapshot(written, options));   // while it stands still
//   … it runs on …
//   TemplateInfo info = TRY(store.AddSnapshot({.name = "@team/before"}, std::move(draft)));
//
// How long that takes depends on what the sandbox wrote, and not on the template below. A snapshot
// of a sandbox of `host` has a layer for each overlay, and belongs to this machine's own /usr.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "template/metadata/metadata.h"
#include "template/store/layer_store.h"
#include "template/template.h"

namespace cay::templates {

struct NewSnapshot {
  std::string name;     // template_name.h
  std::string parent;   // the template that the sandbox was made from
  std::string sandbox;  // its id
  bool replace = false;
  Came came = Came::kByHand;
};

// Copied, and without a name yet. Deleted when it goes away.
struct SnapshotDraft {
  // Of which overlay, and what was written there; that of "/" comes first, and overlays to which
  // nothing was written have none.
  std::vector<std::pair<size_t, NewLayer>> made;
  std::vector<engine::Overlay> below;  // of the sandbox's root filesystem
  std::shared_ptr<const void> hold;    // keeps the layers below
  std::string hostname;                // the sandbox's
  Bytes bytes = 0;                     // of content
  uint64_t entries = 0;
  ImportNotes notes;
};

// What is known of the template that the topmost of these layers was made for. `parent`: its name,
// where it was made by a program that did not write that down. kNotFound when nobody knows.
Result<Metadata> BaseOf(const LayerStore& store, const std::vector<engine::Overlay>& below,
                        const std::string& parent);

// How overlays are written down: a layer of the store as "ID" or "ID/DIRECTORY", one of this
// machine as its path. And back.
std::vector<engine::Overlay> NameLayers(const std::vector<engine::Overlay>& overlays);
engine::HostLayers RootOf(const LayerStore& store, const Metadata& metadata);
// The layers of the store among them, each once.
std::vector<std::string> LayerIdsOf(const std::vector<engine::Overlay>& named);

}  // namespace cay::templates
