#include "template/store/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/os/file.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"
#include "template/layers/written_layer.h"
#include "template/metadata/import_notes.h"
#include "template/store/template_name.h"
#include "template/store/template_store.h"

namespace cay::templates {
namespace {

// "ID" or "ID/DIRECTORY"; nothing for a path that is not the store's.
std::optional<std::string> NameInStore(const std::string& path) {
  // However the state directory was called when the sandbox was made.
  const std::string_view layers = "/.layers/";
  const size_t at = path.find(layers);
  if (at == std::string::npos) return std::nullopt;
  const std::string rest = path.substr(at + layers.size());
  const std::string id = rest.substr(0, rest.find('/'));
  const std::string root = "/root";
  if (!IsLayerId(id) || !rest.substr(id.size()).starts_with(root)) return std::nullopt;
  return id + rest.substr(id.size() + root.size());
}

std::string PathOfNamed(const LayerStore& store, const std::string& named) {
  if (named.starts_with('/')) return named;
  const size_t slash = std::min(named.find('/'), named.size());
  return store.LayerRoot(named.substr(0, slash)) + named.substr(slash);
}

class Drafter {
 public:
  Drafter(LayerStore& store, const engine::WrittenLayers& written, const ImportOptions& options)
      : store_(store), written_(written), options_(options), watch_(options) {}

  Result<SnapshotDraft> Run() {
    const auto* const root = std::get_if<engine::HostLayers>(&written_.root);
    if (root == nullptr || root->overlays.size() != written_.uppers.size()) {
      return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                           "snapshots are of sandboxes whose root filesystem is of directories"));
    }
    draft_.below = root->overlays;
    draft_.hostname = written_.hostname;
    draft_.hold = TRY(store_.HoldAll(LayerIdsOf(NameLayers(draft_.below))));
    for (size_t i = 0; i < written_.uppers.size(); ++i) TRY(CopyOne(i));
    return std::move(draft_);
  }

 private:
  Result<void> CopyOne(size_t index) {
    NewLayer layer = TRY(store_.Begin());
    const Fd root = TRY(OpenLayerRoot(layer.root()));
    WrittenOptions copy;
    copy.id_offset = written_.id_offset;
    copy.max_bytes = options_.max_bytes - std::min(options_.max_bytes, draft_.bytes);
    copy.max_entries = options_.max_entries - std::min(options_.max_entries, draft_.entries);
    copy.on_progress = [&](const WrittenReport& now) {
      return watch_.Note({draft_.entries + now.entries, draft_.bytes + now.bytes}, root);
    };
    const WrittenReport report = TRY(CopyWritten(written_.uppers[index], root, copy));
    draft_.bytes += report.bytes;
    draft_.entries += report.entries;
    AddNotes(draft_.notes, NotesOf(report));
    if (index == 0 || report.entries > 0) draft_.made.emplace_back(index, std::move(layer));
    return {};
  }

  LayerStore& store_;
  const engine::WrittenLayers& written_;
  const ImportOptions& options_;
  ImportWatch watch_;
  SnapshotDraft draft_;
};

// What `host` is, for what was made from it.
Metadata HostBase() {
  Metadata base;
  const bool bash = ::access("/bin/bash", X_OK) == 0;
  base.user = {.name = "user", .home = "/home/user", .shell = bash ? "/bin/bash" : "/bin/sh"};
  return base;
}

}  // namespace

Result<SnapshotDraft> TemplateStore::DraftSnapshot(const engine::WrittenLayers& written,
                                                   const ImportOptions& options) {
  return Drafter(layers_, written, options).Run();
}

namespace {

// What was written comes above what was there.
Result<std::vector<engine::Overlay>> OverlaysOf(const SnapshotDraft& draft) {
  std::vector<engine::Overlay> named = NameLayers(draft.below);
  for (const auto& [index, layer] : draft.made) {
    std::vector<std::string>& layers = named[index].layers;
    layers.insert(layers.begin(), layer.id());
    if (layers.size() <= engine::kMaxOverlayLayers) continue;
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the snapshot would stand on more than " +
                             std::to_string(engine::kMaxOverlayLayers) + " layers")
                       .WithRemedy("take it of a sandbox that stands on fewer snapshots"));
  }
  return named;
}

}  // namespace

Result<TemplateInfo> TemplateStore::AddSnapshot(const NewSnapshot& snapshot, SnapshotDraft draft) {
  TRY(CheckFree(snapshot.name, snapshot.replace));
  std::vector<engine::Overlay> overlays = TRY(OverlaysOf(draft));
  Metadata metadata = TRY(BaseOf(layers_, draft.below, snapshot.parent));
  metadata.layers = LayerIdsOf(overlays);
  metadata.overlays.clear();
  if (overlays.size() > 1) metadata.overlays = std::move(overlays);
  metadata.hostname = draft.hostname;
  metadata.info.name = snapshot.name;
  metadata.info.imported_unix_ms = UnixMs();
  metadata.info.size += draft.bytes;
  metadata.info.entries += draft.entries;
  metadata.info.source = "snapshot";
  // It is its owner's to remove, whatever its sandbox was made from.
  metadata.derived_key.clear();
  metadata.info.packages.clear();
  metadata.info.parent = snapshot.parent;
  metadata.info.written = draft.bytes;
  metadata.info.sandbox = snapshot.sandbox;
  metadata.info.came = snapshot.came;
  metadata.info.notes = draft.notes;
  FillInfo(metadata);
  std::vector<std::shared_ptr<const Fd>> held;
  for (size_t i = 1; i < draft.made.size(); ++i)
    held.push_back(TRY(layers_.PublishAndHold(std::move(draft.made[i].second))));
  TRY(Finish(std::move(draft.made.front().second), metadata, snapshot.replace));
  return metadata.info;
}

std::vector<engine::Overlay> NameLayers(const std::vector<engine::Overlay>& overlays) {
  std::vector<engine::Overlay> named;
  for (const engine::Overlay& overlay : overlays) {
    engine::Overlay one{.target = overlay.target, .layers = {}};
    for (const std::string& path : overlay.layers)
      one.layers.push_back(NameInStore(path).value_or(path));
    named.push_back(std::move(one));
  }
  return named;
}

engine::HostLayers RootOf(const LayerStore& store, const Metadata& metadata) {
  engine::HostLayers root{.overlays = {}, .hostname = metadata.hostname};
  for (const engine::Overlay& named : metadata.overlays) {
    engine::Overlay overlay{.target = named.target, .layers = {}};
    for (const std::string& layer : named.layers)
      overlay.layers.push_back(PathOfNamed(store, layer));
    root.overlays.push_back(std::move(overlay));
  }
  if (!root.overlays.empty()) return root;
  engine::Overlay whole{.target = "/", .layers = {}};
  for (const std::string& layer : metadata.layers) whole.layers.push_back(store.LayerRoot(layer));
  root.overlays.push_back(std::move(whole));
  return root;
}

std::vector<std::string> LayerIdsOf(const std::vector<engine::Overlay>& named) {
  std::vector<std::string> ids;
  for (const engine::Overlay& overlay : named) {
    for (const std::string& layer : overlay.layers) {
      if (layer.starts_with('/')) continue;
      const std::string id = layer.substr(0, layer.find('/'));
      if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
    }
  }
  return ids;
}

Result<Metadata> BaseOf(const LayerStore& store, const std::vector<engine::Overlay>& below,
                        const std::string& parent) {
  const std::vector<engine::Overlay> named = NameLayers(below);
  const std::vector<std::string> ids = LayerIdsOf(named);
  if (!ids.empty()) {
    auto text = ReadFile(store.LayerTemplatePath(ids.front()), kMaxMetadataBytes);
    if (text) return ParseMetadata(parent, *text);
    if (text.error().sys_errno() != ENOENT) return Failure(std::move(text).error());
  }
  // `host` is more than one overlay, and never has a file of its own.
  if (named.size() > 1) return HostBase();
  const auto text =
      ReadFile(store.directory() + "/" + FileNameOf(parent) + ".json", kMaxMetadataBytes);
  auto by_name = text ? ParseMetadata(parent, *text) : Failure(text.error());
  if (by_name && by_name->layers == ids) return by_name;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "the template that the sandbox was made from is gone, and what it said of "
                       "its programs with it")
                     .WithRemedy("make another sandbox, and take a snapshot of that"));
}

}  // namespace cay::templates
