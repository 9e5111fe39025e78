// LayerStore: layers on disk, and which of them are still needed.
//
//   templates/
//     NAME.json             metadata of an imported template: names its layer
//     .host.stamp           the same for `host`: its layer, and what it was made of
//     .layers/ID/root/      a layer; never changes, never moves while anybody needs it
//     .layers/ID/template.json   of the topmost: the metadata of the template that it was made for
//     .layers/ID/disk       what it takes on the disk, measured when it was put into place
//     .partial/ID/root/     a layer being made or being deleted
//     .blobs/               what was fetched of images (registry/blob_download.h)
//     .built/               which layers builds made, for later ones (built_layers.h)
//     .used/NAME            when a template was last used (last_used.h)
//     .budget               how much all of it may take (space_budget.h)
//     .lock                 flock: taken by whoever adds, publishes or deletes layers
//
//   NewLayer layer = TRY(store.Begin());              // made aside …
//   … fill layer.root() …
//   TRY(store.Publish(std::move(layer), [&](id) { return WriteMetadata(id); }));   // … and renamed
//
// A layer of an image is named by what it is (LayerIdOf), made once and shared by all templates
// that stand on it:
//
//   NewLayer layer = TRY(store.Begin(LayerIdOf(chain)));
//   auto held = TRY(store.PublishAndHold(std::move(layer)));   // or the one somebody else has made
//
// A layer is needed while a metadata file or a record of builds names it, while somebody holds it
// (a shared flock on its directory: Hold), or while a sandbox stands on it, by its engine's word.
// Everything else is deleted by Collect. A process that makes a layer holds an exclusive flock on
// its partial directory, so the lock alone tells what a killed process left from what is being
// made.
//
// Any number of threads and processes may use one directory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/os/paths.h"
#include "base/result.h"
#include "engine/engine.h"
#include "template/layers/layer_id.h"

namespace cay::templates {

// All sandboxes, whoever owns them: what Engine::List says, or would.
using SandboxLister = std::function<Result<std::vector<engine::SandboxStatus>>()>;

// A layer being made. Deleted when it goes away unpublished.
class NewLayer {
 public:
  NewLayer(NewLayer&&) noexcept;
  NewLayer& operator=(NewLayer&&) = delete;
  ~NewLayer();

  const std::string& id() const { return id_; }
  std::string root() const;           // an empty directory
  std::string about_path() const;     // LayerStore::LayerAboutPath; nothing is there
  std::string template_path() const;  // LayerStore::LayerTemplatePath; nothing is there

 private:
  friend class LayerStore;
  NewLayer(std::string partial_dir, std::string id, Fd lock);

  std::string partial_dir_;
  std::string id_;
  Fd lock_;
  bool owns_ = true;
};

class LayerStore {
 public:
  // Makes the directories; deletes what killed processes left in .partial.
  static Result<LayerStore> Open(const Paths& paths, SandboxLister sandboxes);

  const std::string& directory() const { return directory_; }
  const std::string& state_dir() const { return state_dir_; }
  std::string LayerRoot(const std::string& id) const;
  // A file beside it, for what is known of it; of those that are named by what they are.
  std::string LayerAboutPath(const std::string& id) const;
  // A file beside it, of those that are the topmost of a template: what the template was, for the
  // snapshots of sandboxes that outlive it. Missing where an older program made the template.
  std::string LayerTemplatePath(const std::string& id) const;

  Result<NewLayer> Begin();
  // One of that id; kAlreadyExists while somebody else is making it.
  Result<NewLayer> Begin(const std::string& id);

  // Moves the layer into place and then lets `publish` write the metadata that names it, both under
  // the lock. On error the layer is deleted.
  Result<void> Publish(NewLayer layer, const std::function<Result<void>()>& publish);

  // For a layer that no metadata names yet. Where there is one of its id by now, that one is held,
  // and `layer` deleted.
  Result<std::shared_ptr<const Fd>> PublishAndHold(NewLayer layer);

  // kNotFound when the layer has been deleted: read the metadata again.
  Result<std::shared_ptr<const Fd>> Hold(const std::string& id) const;
  // The same of all of them together.
  Result<std::shared_ptr<const void>> HoldAll(const std::vector<std::string>& ids) const;

  // Runs `act` under the lock: for changes of metadata.
  Result<void> WithLock(const std::function<Result<void>()>& act) const;

  // A directory of Cay's own for layers on their way: what nobody came back for is deleted by
  // Collect after a day. Whoever counts on what is in it has a shared flock(2) on it meanwhile.
  Result<Fd> OpenBlobs() const;

  // Those that sandboxes stand on, by their engine's word; nothing when a sandbox is damaged.
  Result<std::optional<std::set<std::string>>> LayersOfSandboxes() const;
  // Whether somebody holds the layer (Hold) at this moment.
  Result<bool> IsHeld(const std::string& id) const;
  // Of all layers that are in their places.
  Result<std::vector<std::string>> LayerIds() const;

  // What the layer takes on the disk, with what lies beside it. It is measured once, and 0 for a
  // layer that is not there.
  Result<Bytes> DiskOf(const std::string& id) const;
  // Of what is being made, and was left by those who were killed meanwhile.
  Result<Bytes> DiskOfPartials() const;
  // That of the `host` template; empty: there is none yet.
  std::string HostLayer() const;

  // Deletes the layers that are not needed; returns how many. Deletes none while a metadata file or
  // a sandbox is damaged: it may need any. With `dry_run` only counts.
  Result<uint64_t> Collect(bool dry_run = false);

 private:
  LayerStore(const Paths& paths, SandboxLister sandboxes)
      : state_dir_(paths.state_dir),
        directory_(paths.templates_dir()),
        sandboxes_(std::move(sandboxes)) {}

  std::string layers_dir() const { return directory_ + "/.layers"; }
  std::string partial_dir() const { return directory_ + "/.partial"; }
  std::string blobs_dir() const { return directory_ + "/.blobs"; }
  Result<Fd> Lock() const;
  // Their ids; nothing when it cannot be known which layers are needed.
  Result<std::optional<std::set<std::string>>> NeededLayers() const;
  Result<std::optional<std::vector<std::string>>> LayersOfMetadata(const std::string& file) const;
  Result<NewLayer> BeginAt(const std::string& id);
  // With the lock.
  Result<void> PutIntoPlace(const NewLayer& layer) const;
  Result<uint64_t> MoveUnneededAside(bool dry_run);
  Result<uint64_t> MoveAside(const std::vector<std::pair<std::string, Fd>>& candidates,
                             bool dry_run) const;
  Result<void> DeleteStalePartials();
  Result<void> DeleteStaleBlobs() const;

  std::string state_dir_;
  std::string directory_;
  SandboxLister sandboxes_;
};

}  // namespace cay::templates
